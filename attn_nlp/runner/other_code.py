"""Find stored cells that were computed by another version of this package's code.

Their settings, data and revisions are today's, or they would be other cells. So either the edit
changes no result, or a revision was not raised, or someone else's copy of the package trained them;
only a person can tell which.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from attn_nlp.library_code import FACT, code_digest
from attn_nlp.store import FINAL, Store
from attn_nlp.store.records import Records

RETRAIN = "--retrain-changed"


@dataclass(frozen=True)
class OtherCode:
    """How the code that computed some cells differs from the current code.

    Attributes:
      stored: number of cells with a final result.
      changed: specs of the cells that other code computed.
      unknown: number of cells that were stored without a digest of the code.
    """

    stored: int
    changed: frozenset[str]
    unknown: int

    @property
    def notes(self) -> list[str]:
        """Sentences for readers of the results, at most one."""
        if not self.changed:
            return []
        return [
            f"{len(self.changed)} of {_cells(self.stored)} were computed by other code of "
            "attn_nlp than today's, under the same revisions; they are shown as they are."
        ]

    @property
    def sentences(self) -> list[str]:
        """Sentences for someone who is about to train, at most two."""
        said = [f"{note} {RETRAIN} trains them again." for note in self.notes]
        if self.unknown:
            said.append(
                f"{self.unknown} of {_cells(self.stored)} were stored before the code of attn_nlp "
                "was noted; whether it was today's is unknown."
            )
        return said


def other_code(store: Store, specs: Iterable[str]) -> OtherCode:
    """Compare the code that computed some cells with the code of this process."""
    return of_records(store.records(specs, ["status", "provenance"]))


def of_records(records: Records) -> OtherCode:
    """Compare the code of records, by their "status" and "provenance", with this process's."""
    specs = tuple(records)
    stated = zip(
        specs, records.column("status", specs), records.column("provenance", specs), strict=True
    )
    codes = {
        spec: (provenance or {}).get(FACT) for spec, status, provenance in stated if status in FINAL
    }
    others = {*codes.values()} - {None}
    if others:  # taking the digest of this process costs some milliseconds
        others -= {code_digest()}
    changed = frozenset(spec for spec, code in codes.items() if code in others)
    return OtherCode(len(codes), changed, sum(code is None for code in codes.values()))


def _cells(count: int) -> str:
    return f"{count} stored cell{'s' * (count != 1)}"
