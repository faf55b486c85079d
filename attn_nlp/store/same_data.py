"""Check that cells that name the same data were computed from the same data.

A dataset's rows may change under its name: a file that was edited, a repository that was updated.
Results of both states must never stand beside each other as replicates of one experiment.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from attn_nlp.experiment.data_key import data_key, reading_key, value_at
from attn_nlp.experiment.identity import BASELINE_PATHS
from attn_nlp.experiment.planned import Settings

COLUMNS = ("settings", "fingerprint", "tokenizer_hash")


class TwoStates(NamedTuple):
    """A dataset that some cells met in one state and others in another.

    Attributes:
      what: "rows" or "tokens".
      dataset: as the settings name it.
      cells: the specs of the cells by fingerprint.
    """

    what: str
    dataset: str
    cells: Mapping[str, tuple[str, ...]]

    def __str__(self) -> str:
        named = ", ".join(
            f"{known[:12]} ({'1 cell' if len(specs) == 1 else f'{len(specs)} cells'})"
            for known, specs in self.cells.items()
        )
        return f"the {self.what} of dataset {self.dataset!r} have the fingerprints {named}"


def two_states(records: Iterable[Mapping]) -> list[TwoStates]:
    """Every dataset with more than one fingerprint, or more than one hash of its tokens.

    Args:
      records: with "spec" and `COLUMNS`; what one of them does not say is no difference.
    """
    seen: dict[tuple, dict[str, list[str]]] = {}
    for record in records:
        settings = record["settings"] or {}
        if "dataset" not in settings:
            continue
        rows, tokens = data_key(settings), (*data_key(settings), *reading_key(settings))
        for what, key, known in (
            ("rows", rows, record["fingerprint"]),
            ("tokens", tokens, record["tokenizer_hash"]),  # "" where only texts are read
        ):
            if known:
                seen.setdefault((what, *key), {}).setdefault(known, []).append(record["spec"])
    return [
        TwoStates(place[0], str(place[1]), {known: tuple(specs) for known, specs in found.items()})
        for place, found in seen.items()
        if len(found) > 1
    ]


def foreign_setting(record: Mapping[str, Any], settings: Settings) -> str:
    """The first path at which a cell's settings are not those of its spec; "" where there is none.

    Args:
      record: with "settings" and "tokenizer_hash".
      settings: that an experiment gives for the same spec.
    """
    kept = record["settings"]
    if not kept or "dataset" not in kept:
        return ""  # of a version that kept none
    # A spec leaves out what a model that reads only texts does not use.
    paths = {*kept, *settings} if record["tokenizer_hash"] else BASELINE_PATHS
    return next(
        (path for path in sorted(paths) if value_at(kept, path) != value_at(settings, path)), ""
    )
