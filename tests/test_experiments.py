"""The experiments that come with the project: they load, say what they ask, and count right."""

import functools
import re
from pathlib import Path

import pytest

from attn_nlp.experiment import Cell
from attn_nlp.experiment.cell import flatten
from attn_nlp.experiment.load import load_file, resolve_file

FILES = sorted(Path("experiments").glob("*.py"))


resolved_once = functools.cache(resolve_file)


@pytest.fixture(params=FILES, ids=lambda file: file.stem)
def file(request) -> Path:
    return request.param


def test_there_are_experiments():
    assert {file.stem for file in FILES} >= {"scaling", "attention_type", "se_attention"}


def test_the_docstring_reads_like_a_page(file):
    _, _, text = load_file(file)
    dated = r"Outcome \(\d{4}-\d\d-\d\d\)"
    headings = re.findall(rf"^(Question|Prediction|Protocol|Cost|{dated})\.", text, re.M)
    headings[-1] = headings[-1].split()[0]
    assert headings == ["Question", "Prediction", "Protocol", "Cost", "Outcome"]
    assert text.splitlines()[0].endswith("?") or ":" in text.splitlines()[0]


def test_the_cost_is_counted_right(file):
    _, _, text = load_file(file)
    said = re.search(r"Cost\.(.*?)= ([\d,]+)\s+cells", text, re.S)
    assert said is not None
    product = 1
    for factor in re.findall(r"(\d+) ", said[1]):
        product *= int(factor)
    resolved = resolved_once(file)
    cells = len(resolved.cells) + len(resolved.skipped)
    assert int(said[2].replace(",", "")) == cells == product
    skipped = re.search(r"([\d,]+) of which are skipped", text)
    assert len(resolved.skipped) == (int(skipped[1].replace(",", "")) if skipped else 0)


def test_loading_twice_gives_the_same_cells_in_the_same_order(file):
    assert resolve_file(file) == resolved_once(file)


def test_seeds_are_outermost(file):
    seeds = [cell["settings"]["seed"] for cell in resolved_once(file).cells]
    assert seeds == sorted(seeds)


def test_scaling_widens_only_queries_and_keys():
    settings = [cell["settings"] for cell in resolved_once("experiments/scaling.py").cells]
    assert {each["head_dim"] for each in settings} == {16, 128, 512}
    assert {each["value_dim"] for each in settings} == {64}
    assert {each["learning_rate"] for each in settings} == {5e-4, 1e-3, 2e-3, 4e-3}
    assert {each["attention.init"] for each in settings} == {"unit_variance"}


def test_the_demo_is_the_scaling_table_at_one_learning_rate():
    recipe = Path("Makefile").read_text().split("demo:")[1].splitlines()[1]
    assert "experiments/scaling.py --only learning_rate=0.002" in recipe


def test_se_attention_measures_the_three_mechanisms_with_and_without_the_mix():
    settings = [cell["settings"] for cell in resolved_once("experiments/se_attention.py").cells]
    assert {each["attention.kind"] for each in settings} == {"pairwise", "se_token"}
    assert {each["attention.mixer"] for each in settings} == {"heads", "query_mix"}
    assert {"dot", "bilinear"} <= {each["attention.score"] for each in settings}
    assert "se_token" in {each["pooling"] for each in settings}


def test_the_base_cell_of_every_experiment_is_a_cell(file):
    experiment, _, _ = load_file(file)
    assert flatten(experiment.base).keys() == flatten(Cell()).keys()
