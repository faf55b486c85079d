"""Identity: what is in a spec, what never is, and specs that stay as they were."""

from __future__ import annotations

import dataclasses
import json
import os
import re
from pathlib import Path

import pytest

from attn_nlp.experiment import Attention, Cell
from attn_nlp.experiment import identity as identities
from attn_nlp.experiment.cell import PATHS, flatten
from attn_nlp.experiment.identity import (
    baseline_cell,
    canonical_json,
    is_baseline,
    key_of,
    spec_of,
    specs_of,
)
from attn_nlp.experiment.revisions import REVISIONS
from attn_nlp.parts import registry

GOLDEN = Path(__file__).parents[1] / "golden" / "specs.json"
CELLS = {
    "default": Cell(),
    "planted": Cell(dataset="planted_lookup", heads=1, head_dim=128, value_dim=64, position="none"),
    "scale": Cell(attention=Attention(scale="constant(0.25)")),
    "mixer": Cell(attention=Attention(mixer="query_mix('fixed(0.3)')"), seed=9),
    "kind": Cell(attention=Attention(kind="se_token(activation=softmax)"), pooling="se_token"),
    "numbers": Cell(learning_rate=3e-4, dropout=0, weight_decay=1e-5, clip=0.5, warmup=0.25),
    "baseline": baseline_cell("majority", Cell(dataset="sst2", split_seed=3)),
}


@pytest.mark.parametrize("name", CELLS)
def test_golden_specs_stay(name):
    """A stored row is found by its spec: one that moves loses every row from before.

    With ATTN_NLP_REGENERATE=1 the specs of new names are added; old ones never change.
    """
    golden = json.loads(GOLDEN.read_text()) if GOLDEN.exists() else {}
    if os.environ.get("ATTN_NLP_REGENERATE") and name not in golden:
        golden[name] = spec_of(CELLS[name])
        GOLDEN.write_text(json.dumps(golden, indent=1, sort_keys=True) + "\n")
    assert spec_of(CELLS[name]) == golden.get(name), (
        f"the spec of {name!r} moved: a default changed, a field was renamed, or a revision was "
        "raised; only the last is a reason to take its line out of tests/golden/specs.json and to "
        "run `make regenerate`"
    )


@pytest.mark.parametrize("name", CELLS)
def test_specs_of_many_seeds_are_those_of_one_after_another(name):
    seeds = [7, 0, 10, 2**32 - 1]
    cells = [dataclasses.replace(CELLS[name], seed=seed) for seed in seeds]
    assert specs_of(CELLS[name], seeds) == list(map(spec_of, cells))


def test_every_setting_is_in_the_spec():
    others = {bool: True, int: 3, float: 0.25, type(None): 5}
    texts = {
        "dataset": "sst2",
        "tokens": "char",
        "width": 128,
        "norm": "post",
        "model": "majority",
        "vocabulary": 100,
        "position": "none",
        "pooling": "max",
        "attention.kind": "se_token",
        "attention.score": "additive",
        "attention.scale": "none",
        "attention.mask": "causal",
        "attention.chunk": 64,
        "attention.normalizer": "sigmoid",
        "attention.mixer": "query_mix",
        "attention.init": "xavier",
        "optimizer": "lion",
        "heads": 8,
        "layers": 2,
    }
    seen = {spec_of(Cell())}
    for path, info in PATHS.items():
        value = texts.get(path, others.get(type(info["default"])))
        seen.add(spec_of(Cell().replace({path: value})))
    assert len(seen) == len(PATHS) + 1  # the default


def test_equal_cells_have_one_spec_however_they_are_written():
    assert spec_of(Cell(dropout=0)) == spec_of(Cell(dropout=0.0))
    one, other = Attention(scale="constant( 1 )"), Attention(scale="constant(c=1.0)")
    assert spec_of(Cell(attention=one)) == spec_of(Cell(attention=other))
    assert re.fullmatch("[0-9a-f]{64}", spec_of(Cell()))


def test_a_new_field_at_its_default_keeps_every_spec(monkeypatch):
    @dataclasses.dataclass(frozen=True)
    class Later(Cell):
        layout: str = dataclasses.field(default="rows", metadata={"help": "a later field"})

    before = spec_of(Cell(heads=2))
    monkeypatch.setitem(PATHS, "layout", {"default": "rows", "help": ""})
    assert spec_of(Later(heads=2)) == before
    assert spec_of(Later(heads=2, layout="joined")) != before


@pytest.mark.parametrize("stage", ["data", "tokens", "encoder", "training", "metrics"])
def test_a_raised_revision_of_a_stage_changes_the_spec(stage, monkeypatch):
    before = spec_of(Cell())
    monkeypatch.setitem(REVISIONS, stage, REVISIONS[stage] + 1)
    assert spec_of(Cell()) != before


def test_a_raised_revision_of_a_part_changes_the_specs_that_use_it(catalogue):
    mixed = Cell(attention=Attention(mixer="query_mix('fixed(0.3)')"))
    before, plain = spec_of(mixed), spec_of(Cell())
    part = registry.find("weighting", "fixed")
    catalogue["weighting", "fixed"] = dataclasses.replace(part, revision=part.revision + 1)
    assert spec_of(mixed) != before
    assert spec_of(Cell()) == plain


def test_a_baseline_has_one_spec_for_all_cells_on_its_data(monkeypatch):
    baselines = [part.name for part in registry.parts("model") if part.facts.get("baseline")]
    assert baselines
    for name in baselines:
        baseline = baseline_cell(name, Cell(heads=2, seed=7))
        assert is_baseline(baseline)
        assert spec_of(baseline) == spec_of(Cell(model=name)) == spec_of(Cell(model=name, steps=3))
        assert spec_of(baseline) != spec_of(Cell(model=name, dataset="sst2"))
        before = spec_of(baseline)
        with monkeypatch.context() as patch:
            patch.setitem(REVISIONS, "training", REVISIONS["training"] + 1)
            assert spec_of(baseline) == before
            patch.setitem(REVISIONS, "baselines", REVISIONS["baselines"] + 1)
            assert spec_of(baseline) != before


def test_every_stage_is_in_some_spec():
    stages = (identities._STAGES, identities._BLOCK_STAGES, identities._BASELINE_STAGES)
    assert set(REVISIONS) == set().union(*stages)


def test_a_raised_revision_of_blocks_changes_the_specs_of_cells_in_blocks(monkeypatch):
    whole, blocks = Cell(), Cell().replace({"attention.chunk": 64})
    before = spec_of(whole), spec_of(blocks)
    monkeypatch.setitem(REVISIONS, "blocks", REVISIONS["blocks"] + 1)
    assert spec_of(whole) == before[0]
    assert spec_of(blocks) != before[1]


def test_keys_tell_data_and_tokenizers_apart():
    keys = {key_of(spec, data, words) for spec in "ab" for data in "cd" for words in "ef"}
    assert len(keys) == 8
    assert key_of("a", "b", "c") != key_of("ab", "", "c")


def test_json_has_one_spelling():
    assert canonical_json({"b": 1, "a": [1.0, None]}) == '{"a":[1.0,null],"b":1}'
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical_json(float("nan"))


def test_no_machine_is_in_a_spec():
    assert not {"time", "host", "path", "device", "threads"} & set(flatten(Cell()))
