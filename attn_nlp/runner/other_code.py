"""Which stored cells were computed by other code of this package than today's.

Their settings, data and revisions are those of today, or they would be other cells. So either the
edit decides nothing, or a revision was not raised, or somebody else's copy trained them; which of
these it is only a person can say.
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
    """What a store says of the code that computed some cells.

    Attributes:
      stored: how many cells have a final result.
      changed: those that other code has computed.
      unknown: how many were stored before the code of the package was noted.
    """

    stored: int
    changed: frozenset[str]
    unknown: int

    @property
    def notes(self) -> list[str]:
        """What whoever reads results must know, at most one line."""
        if not self.changed:
            return []
        return [
            f"{len(self.changed)} of {_cells(self.stored)} were computed by other code of "
            "attn_nlp than today's, under the same revisions; they are shown as they are."
        ]

    @property
    def sentences(self) -> list[str]:
        """What to tell the user, at most two lines."""
        said = [f"{each} {RETRAIN} trains them again." for each in self.notes]
        if self.unknown:
            said.append(
                f"{self.unknown} of {_cells(self.stored)} were stored before the code of attn_nlp "
                "was noted; whether it was today's is unknown."
            )
        return said


def other_code(store: Store, specs: Iterable[str]) -> OtherCode:
    """Compare what computed some cells with the code of this process."""
    return of_records(store.records(specs, ["status", "provenance"]))


def of_records(records: Records) -> OtherCode:
    """Compare what computed some cells, by their "status" and "provenance", with this code."""
    specs = tuple(records)
    stated = zip(
        specs, records.column("status", specs), records.column("provenance", specs), strict=True
    )
    known = {
        spec: (provenance or {}).get(FACT) for spec, status, provenance in stated if status in FINAL
    }
    codes = {*known.values()} - {None}
    if codes:  # else there is nothing to compare the code with
        codes -= {code_digest()}
    changed = frozenset(spec for spec, code in known.items() if code in codes)
    return OtherCode(len(known), changed, sum(code is None for code in known.values()))


def _cells(count: int) -> str:
    return f"{count} stored cell{'s' * (count != 1)}"
