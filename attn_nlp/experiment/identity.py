"""Identity of cells: the stored row that belongs to a cell.

Identity has two levels. `spec` is the SHA-256 of the resolved cell and of the revisions that decide
what it computes; it needs neither JAX nor data, and tables and plans look rows up by it. `key` is
the SHA-256 of the spec, the dataset's fingerprint and the tokenizer's hash; it is computed when
the data is available. Time, host, path and neighbors are never part of either.

A field that has the default with which it was introduced is left out, so that earlier rows stay
valid when a field is added; therefore a default never changes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence

from attn_nlp.experiment.cell import PATHS, Cell, flatten, get
from attn_nlp.experiment.data_key import ROWS
from attn_nlp.experiment.revisions import REVISIONS

_STAGES = ("data", "tokens", "encoder", "training", "metrics")
_BLOCK_STAGES = ("blocks",)
_BASELINE_STAGES = ("data", "baselines", "metrics")
# A baseline reads the texts themselves and does not depend on a seed.
BASELINE_PATHS = ("model", *ROWS)
_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False)
_SEED = "\0seed\0"  # a placeholder for a seed, which no value of a cell equals


def canonical_json(value: object) -> str:
    """Return JSON with one spelling: sorted keys, no spaces, no NaN."""
    return _ENCODER.encode(value)


def is_baseline(cell: Cell) -> bool:
    """Return whether the cell is a model that reads only texts and labels."""
    return bool(cell.choices["model"].part.facts.get("baseline"))


def baseline_cell(model: str, cell: Cell) -> Cell:
    """Return the baseline for a cell: the same data, everything else at its default."""
    return Cell(model=model, **{path: get(cell, path) for path in ROWS})


def spec_of(cell: Cell) -> str:
    """Return the identity of a cell before any data is read: 64 hexadecimal digits."""
    return specs_of(cell, [cell.seed])[0]


def specs_of(cell: Cell, seeds: Sequence[int]) -> list[str]:
    """Return the specs that a cell has under each of some seeds."""
    return spec_maker(cell)(flatten(cell), seeds)


def spec_maker(cell: Cell) -> Callable[[Mapping[str, object], Sequence[int]], list[str]]:
    """Return a function that gives the specs of settings of the cell's shape, one for each seed.

    An experiment may have a million cells of few shapes and many seeds: what they share is
    computed once.

    Args:
      cell: any cell; the settings may differ from its own in what `shape_of` leaves out.
    """
    baseline = is_baseline(cell)
    after = f',"revisions":{canonical_json(_revisions(cell, baseline))}}}'
    default = PATHS["seed"]["default"]

    def text(settings: Mapping[str, object], seed: object) -> str:
        return f'{{"cell":{canonical_json(_told({**settings, "seed": seed}, baseline))}{after}'

    def specs(settings: Mapping[str, object], seeds: Sequence[int]) -> list[str]:
        if len(seeds) == 1:
            return [_hash(text(settings, seeds[0]))]
        before, marker, rest = text(settings, _SEED).partition(canonical_json(_SEED))
        return [
            _hash(f"{before}{seed}{rest}" if marker and seed != default else text(settings, seed))
            for seed in seeds
        ]

    return specs


def _told(settings: Mapping[str, object], baseline: bool) -> dict[str, object]:
    """Return the settings that a spec is a digest of."""
    return {
        path: value
        for path, value in settings.items()
        if value != PATHS[path]["default"] and (not baseline or path in BASELINE_PATHS)
    }


def _revisions(cell: Cell, baseline: bool) -> dict[str, object]:
    """Return the revisions that a spec is a digest of."""
    revisions: dict[str, object] = {
        stage: REVISIONS[stage] for stage in (_BASELINE_STAGES if baseline else _STAGES)
    }
    if not baseline and cell.attention.chunk is not None:
        revisions |= {stage: REVISIONS[stage] for stage in _BLOCK_STAGES}
    for path, choice in cell.choices.items():
        if baseline and path not in BASELINE_PATHS:
            continue
        for part in choice.family():
            if part.revision != 1 or part.code_hash:
                revisions[f"{part.slot}:{part.name}"] = [part.revision, part.code_hash]
    return revisions


def key_of(spec: str, fingerprint: str, tokenizer_hash: str) -> str:
    """Return the identity of a cell on the data that it actually read."""
    together = f"{spec}{fingerprint}{tokenizer_hash}"
    if together.isascii() and together.isalnum():  # as digests are: nothing to escape
        return _hash(f'["{spec}","{fingerprint}","{tokenizer_hash}"]')
    return _digest([spec, fingerprint, tokenizer_hash])


def _digest(value: object) -> str:
    return _hash(canonical_json(value))


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
