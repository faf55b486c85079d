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
    def sentences(self) -> list[str]:
        """What to tell the user, at most two lines."""
        said = []
        if self.changed:
            said.append(
                f"{len(self.changed)} of {_cells(self.stored)} were computed by other code of "
                "attn_nlp than today's, under the same revisions; they are shown as they are. "
                f"{RETRAIN} trains them again."
            )
        if self.unknown:
            said.append(
                f"{self.unknown} of {_cells(self.stored)} were stored before the code of attn_nlp "
                "was noted; whether it was today's is unknown."
            )
        return said


def other_code(store: Store, specs: Iterable[str]) -> OtherCode:
    """Compare what computed some cells with the code of this process."""
    records = store.records(specs, ["status", "provenance"])
    known = {
        spec: (record["provenance"] or {}).get(FACT)
        for spec, record in records.items()
        if record["status"] in FINAL
    }
    today = code_digest()
    changed = frozenset(spec for spec, code in known.items() if code not in (None, today))
    return OtherCode(len(known), changed, sum(code is None for code in known.values()))


def _cells(count: int) -> str:
    return f"{count} stored cell{'s' * (count != 1)}"
