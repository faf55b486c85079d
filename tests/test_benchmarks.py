"""The benchmarks run, and say what they measured; what they measured is no business of tests."""

import sys
import time

import numpy as np
import pytest

from benchmarks import processes, rivals, tokenising, training, whole_table
from benchmarks.whole_table import Given, Portion
from tests.conftest import required

TORCH = [name for name in rivals.RIVALS if name.startswith("PyTorch")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("benchmarks")


def small(**settings):
    return rivals.cell_of("S", "planted_lookup", 4, evaluate_every=2, **settings)


@pytest.mark.parametrize("rival", TORCH)
def test_a_cell_is_trained_and_tested(rival, folder):
    required("torch").set_num_threads(1)
    cell = small()
    clock = rivals.Clock()
    tested = rivals.whole(rival, cell, rivals.data_of(cell, folder), folder, clock)
    assert 0 <= tested <= 1
    assert clock.looks[1] > 0
    assert clock.since_first()[1] >= clock.looks[1]


def test_rivals_have_the_losses_of_the_same_model(folder):
    required("torch").set_num_threads(1)
    cell = small(dropout=0.0).replace({"attention.scale": "constant(c=0.5)"})
    data = rivals.data_of(cell, folder)
    lanes = [make(cell, data, folder) for make in (rivals.torch_eager, rivals.nnx_jit)]
    losses = np.array([[lane.advance(1) for _ in range(3)] for lane in lanes])
    assert np.abs(losses[0] - losses[1]).max() < training.TOLERANCE
    assert np.ptp(losses[0]) > 0


def test_random_batches_go_through_every_epoch(folder):
    cell = small().replace({"steps": 700})
    data = rivals.data_of(cell, folder)
    start, stop = data.splits["train"]
    rows = rivals.random_batches(cell, data)
    assert rows.shape == (700, 32)
    epoch = rows.reshape(-1)[: stop - start]
    np.testing.assert_array_equal(np.sort(epoch), np.arange(start, stop))


def test_an_overrun_is_ended_and_a_fault_is_told():
    def run(code, limit):
        return processes.start_command([sys.executable, "-c", code], {}, limit)

    began = time.monotonic()
    late, faulty, fine = processes.wait(
        [
            run("print(1, flush=True); import time; time.sleep(60)", 2),
            run("raise SystemExit('no compiler')", 60),
            run("print('a library speaks'); print('{\"a\": 1}')", 60),
        ]
    )
    assert time.monotonic() - began < 30
    assert late[:2] == ([1], processes.LATE)
    assert faulty[:2] == ([], "no compiler")
    assert fine[:2] == ([{"a": 1}], "")


def test_a_rivals_seconds_are_summed_or_said_to_be_extrapolated():
    def portion(*lanes):
        return Portion(
            2.0, [[{"seconds": s, "test_accuracy": 0.5} for s in lane] for lane in lanes]
        )

    given = Given("S", "docstrings", variants=2, seeds=2, steps=10)
    whole = whole_table.total("eager-processes", given, [portion([3, 1], [2, 4])])
    assert (whole["seconds"], whole["extrapolated"]) == (2 + 6, False)
    some = whole_table.total("eager-processes", given, [portion([3], []), portion([5], [])])
    assert (some["seconds"], some["extrapolated"]) == (2 + 4 * 4 / 2, True)
    assert whole_table.total("eager-processes", given, []) is None
    mine = {
        "ours": {"seconds": 4.0, "utilisation": 0.9, "compile_seconds": 1.0, "test_accuracy": 0.5}
    }
    text = whole_table.page(given, mine, {"eager-processes": some})
    assert "| 10.0 | 2.50 | **extrapolated** from 2 cells of 4.00 s |" in text


def test_a_rival_that_is_another_model_has_no_ratio():
    row = {"wall_ms": 2.0, "step_ms": 1.0, "gigaflops": 1.0, "first_step_cpu_seconds": 1.0}
    row |= {"mebibytes": 1.0, "test_accuracy": 0.5}
    rounds = [dict.fromkeys(training.RUNS, row)]
    found = training.summary(rounds, [10.0], {training.EAGER: 0.1, training.NNX: 0.0})
    name = f"{training.EAGER}, one process"
    assert "ratio" not in found[name]
    assert found[f"{training.NNX}, one process"]["ratio"] == [1.0, 1.0, 1.0]
    late = [{**rounds[0], name: {"fault": "did not finish in 180 s"}}]
    text = training.markdown("S", training.summary(late, [10.0], {}))
    assert f"| {name} | did not finish in 180 s |" in text


def test_tokenising_is_timed_for_every_tokeniser(tmp_path):
    lines = [f"film number {n} is {'fine' if n % 2 else 'dull'}.,{n % 2}" for n in range(60)]
    (tmp_path / "reviews.csv").write_text("text,label\n" + "\n".join(lines) + "\n")
    found = tokenising.measured(str(tmp_path / "reviews.csv"), tmp_path / "cache", 1)
    assert [line["tokens"] for line in found] == ["word", "char", "bpe"]
    assert all(line["sentences"] == 60 for line in found)
    assert all(line[name] > 0 for line in found for name in ("train", "encode", "library_encode"))
