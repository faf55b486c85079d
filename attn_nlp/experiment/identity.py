"""Which stored row belongs to which cell.

Identity has two levels. `spec` is the SHA-256 of the resolved cell and of the revisions that decide
what it computes; it needs neither JAX nor data, and tables and plans look rows up by it. `key` is
the SHA-256 of the spec, the dataset's fingerprint and the tokenizer's hash; it is made when the
data is at hand. Time, host, path and neighbours are never part of either.

A field that stands at the default it had when it was introduced is left out, so that a field
added later keeps the rows from before; therefore a default never changes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

from attn_nlp.experiment.cell import PATHS, Cell, flatten
from attn_nlp.revisions import REVISIONS

_STAGES = ("data", "tokens", "encoder", "training", "metrics")
_BLOCK_STAGES = ("blocks",)
_FLOOR_STAGES = ("data", "floors", "metrics")
# A floor reads the texts themselves and is not drawn from a seed.
FLOOR_PATHS = ("model", "dataset", "split_seed", "fold")
_SEED = "\0seed\0"  # stands where a seed is to be put; no value of a cell is written so


def canonical_json(value: object) -> str:
    """JSON with one spelling: sorted keys, no spaces, no NaN."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def is_floor(cell: Cell) -> bool:
    """Whether the cell is a model that reads only texts and labels."""
    return bool(cell.choices()["model"].part.facts.get("floor"))


def floor_cell(model: str, cell: Cell) -> Cell:
    """The floor beside a cell: the same data, everything else at its default."""
    return Cell(model=model, dataset=cell.dataset, split_seed=cell.split_seed, fold=cell.fold)


def spec_of(cell: Cell) -> str:
    """The identity of a cell before any data is seen: 64 hexadecimal digits."""
    return _digest(_told(cell, cell.seed))


def specs_of(cell: Cell, seeds: Sequence[int]) -> list[str]:
    """The specs that a cell has under each of some seeds.

    What stands beside the seed is written down once, as an experiment has many seeds.
    """
    before, place, after = canonical_json(_told(cell, _SEED)).partition(canonical_json(_SEED))
    default = PATHS["seed"]["default"]
    return [
        hashlib.sha256(f"{before}{seed}{after}".encode()).hexdigest()
        if place and seed != default
        else _digest(_told(cell, seed))
        for seed in seeds
    ]


def _told(cell: Cell, seed: int | str) -> dict[str, object]:
    """What the spec is a digest of, with that seed."""
    floor = is_floor(cell)
    fields = {
        path: value
        for path, value in (flatten(cell) | {"seed": seed}).items()
        if value != PATHS[path]["default"] and (not floor or path in FLOOR_PATHS)
    }
    revisions: dict[str, object] = {
        stage: REVISIONS[stage] for stage in (_FLOOR_STAGES if floor else _STAGES)
    }
    if not floor and cell.attention.chunk is not None:
        revisions |= {stage: REVISIONS[stage] for stage in _BLOCK_STAGES}
    for path, choice in cell.choices().items():
        if floor and path not in FLOOR_PATHS:
            continue
        for part in choice.family():
            if part.revision != 1 or part.code_hash:
                revisions[f"{part.slot}:{part.name}"] = [part.revision, part.code_hash]
    return {"cell": fields, "revisions": revisions}


def key_of(spec: str, fingerprint: str, tokenizer_hash: str) -> str:
    """The identity of a cell on the data it really met."""
    return _digest([spec, fingerprint, tokenizer_hash])


def _digest(value: object) -> str:
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()
