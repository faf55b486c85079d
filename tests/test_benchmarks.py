"""The benchmarks run, and say what they measured; what they measured is no business of tests."""

import platform
import sys
import time

import click
import numpy as np
import pytest
from click.testing import CliRunner

from benchmarks import __main__ as bench
from benchmarks import (
    agreement,
    processes,
    readme,
    reports,
    rivals,
    startup,
    tokenizing,
    training,
    whole_table,
)
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
    clock = processes.Clock()
    tested = rivals.whole(rival, cell, rivals.data_of(cell, folder), folder, clock)
    assert 0 <= tested <= 1
    assert clock.evaluations[1] > 0
    assert clock.since_first()[1] >= clock.evaluations[1]


def test_rivals_have_the_losses_of_the_same_model(folder):
    required("torch").set_num_threads(1)
    cell = small(dropout=0.0).replace({"attention.scale": "constant(c=0.5)"})
    data = rivals.data_of(cell, folder)
    runs = [make(cell, data, folder) for make in (rivals.torch_eager, rivals.nnx_jit)]
    losses = np.array([[run.advance(1) for _ in range(3)] for run in runs])
    assert np.abs(losses[0] - losses[1]).max() < agreement.TOLERANCE
    assert np.ptp(losses[0]) > 0


def test_random_batches_go_through_every_epoch(folder):
    cell = small().replace({"steps": 700})
    data = rivals.data_of(cell, folder)
    start, stop = data.splits["train"]
    rows = rivals.random_batches(cell, data)
    assert rows.shape == (700, 32)
    epoch = rows.reshape(-1)[: stop - start]
    np.testing.assert_array_equal(np.sort(epoch), np.arange(start, stop))


def test_an_overrun_is_ended_and_a_fault_is_reported():
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


def portion(*lanes):
    cells = [[{"seconds": s, "test_accuracy": 0.5} for s in lane] for lane in lanes]
    return Portion(2.0, cells, [])


SMALL = Given("S", "docstrings", variants=2, seeds=2, steps=10)
OURS = {"seconds": 4.0, "utilization": 0.9, "compile_seconds": 1.0, "test_accuracy": 0.5}


def measured(agree, *portions):
    found = whole_table.Measured(SMALL, ["eager-processes"])
    found.agree, found.mine = agree, {"ours, warm cache": [OURS, {**OURS, "seconds": 5.0}]}
    found.portions["eager-processes"] += portions
    return found.result()


def test_a_rivals_seconds_are_summed_or_marked_as_extrapolated():
    whole = whole_table.total("eager-processes", SMALL, [portion([3, 1], [2, 4])])
    assert (whole["seconds"], whole["extrapolated"]) == (2 + 6, False)
    some = measured({whole_table.SORTED: 1e-6}, portion([3], []), portion([5], []))
    row = some["rivals"]["eager-processes"]
    assert (row["seconds"], row["extrapolated"]) == (2 + 4 * 4 / 2, True)
    assert row["cell_seconds"] == [3, 4, 5]
    assert row["ratio"] == {"ours, warm cache": [10 / 5, 10 / 4.5, 10 / 4]}
    assert whole_table.total("eager-processes", SMALL, []) is None
    text = whole_table.page(SMALL, some)
    assert "| 10.0 | 2.22 | **extrapolated** from 2 cells of 4.00 (3.00–5.00) s |" in text


@pytest.mark.parametrize("agree", [{}, {whole_table.SORTED: None}, {whole_table.SORTED: 0.1}])
def test_a_whole_table_of_another_model_has_no_ratio(agree):
    found = measured(agree, portion([3, 1], [2, 4]))
    assert "ratio" not in found["rivals"]["eager-processes"]
    assert "| 8.0 | – |" in whole_table.page(SMALL, found)


def test_rivals_may_run_cells_of_their_own():
    found = whole_table.cells_of("eager-threads,trainer-processes:24", 120)
    assert found == {"eager-threads": 120, "trainer-processes": 24}
    with pytest.raises(click.UsageError, match="eager-thread"):
        whole_table.cells_of("eager-thread", 120)


def test_results_are_kept_while_the_next_run_is_under_way():
    found = whole_table.Measured(SMALL, ["eager-processes"])
    assert found.result() == {"ours": {}, "rivals": {}}
    found.mine["ours, cold cache"] = []
    found.portions["eager-processes"].append(portion([3], []))
    assert "**extrapolated** from 1 cell " in whole_table.page(SMALL, found.result())


def test_a_rival_that_ends_without_a_cell_says_why():
    found = measured({}, Portion(float("nan"), [[], []], ["no memory"]))
    assert found["rivals"]["eager-processes"]["fault"] == "no memory"
    assert "| no memory |" in whole_table.page(SMALL, found)


def test_a_rival_that_is_another_model_has_no_ratio():
    names = ("wall_ms", "step_ms", "gigaflops", "mebibytes", "test_accuracy", "loading_seconds")
    row = dict.fromkeys([*names, "compiling_seconds", "first_look_seconds"], 2.0)
    rounds = [dict.fromkeys(training.RUNS, row)]
    found = training.summary(rounds, [8.0], {training.EAGER: 0.1, training.NNX: 0.0})
    name = f"{training.EAGER}, one process"
    assert "ratio" not in found[name]
    assert "ratio" not in found[f"{rivals.TRAINER}, two threads"]
    assert found[f"{training.NNX}, one process"]["ratio"] == [1.0, 1.0, 1.0]
    assert found[name]["share_of_peak"] == [0.25] * 3
    late = [{**rounds[0], name: {"fault": "did not finish in 180 s"}}]
    text = training.markdown("S", training.summary(late, [8.0], {}))
    assert f"| {name} | did not finish in 180 s |" in text


def test_the_trainer_has_the_losses_of_the_same_model(folder):
    required("transformers")
    required("accelerate")
    settings = {"size": "S", "dataset": "planted_lookup", "steps": 4}
    cell = rivals.cell_of(**settings, dropout=0.0)
    data = rivals.data_of(cell, folder)
    rows, weights = rivals.our_batches(cell, data), rivals.first_weights(cell, data, folder)
    from benchmarks.trainer import losses

    training_run = rivals.torch_eager(cell, data, folder)
    eager = [training_run.advance(1) for _ in range(4)]
    np.testing.assert_allclose(losses(cell, data, weights, rows), eager, atol=agreement.TOLERANCE)
    assert np.ptp(eager) > 0


def test_a_report_keeps_results_and_names_no_folder(tmp_path):
    report = reports.Report("some", {"rounds": 1}, tmp_path)
    report.write({"seconds": [1.23456789, float("nan")]}, "page")
    found = reports.read(tmp_path, "some")
    assert (found["complete"], found["result"]) == (False, {"seconds": [1.2346, None]})
    report.end({"seconds": [1]}, "page")
    assert reports.read(tmp_path, "some")["complete"]
    text = (tmp_path / "some.json").read_text() + (tmp_path / "some.md").read_text()
    assert str(tmp_path) not in text
    assert platform.node() not in text


def test_one_part_that_fails_leaves_the_others(tmp_path, monkeypatch):
    asked = []

    def run(name, given, out):
        asked.append(name)
        return int(name == "tables")

    monkeypatch.setattr(bench, "run", run)
    monkeypatch.setattr(bench.processes, "heed_termination", lambda: None)
    ended = CliRunner().invoke(bench.main, ["--out", str(tmp_path), "--quick"])
    assert (ended.exit_code, asked) == (1, list(bench.PARTS))
    page = (tmp_path / "all.md").read_text()
    assert "## tables: failed with status 1" in page
    assert "All: about" in ended.stderr


def test_a_part_is_done_once_by_the_same_code(tmp_path, monkeypatch):
    monkeypatch.setattr(bench, "command", lambda *_: [sys.executable, "-c", ""])
    assert bench.run("tables", ["--rounds", "1"], tmp_path) == 0
    assert not bench.done("tables", ["--rounds", "1"], tmp_path)
    reports.Report("tables", {}, tmp_path).write([], "", complete=True)
    assert bench.done("tables", ["--rounds", "1"], tmp_path)
    assert not bench.done("tables", ["--rounds", "2"], tmp_path)


def test_the_figures_of_the_page_are_those_that_were_measured():
    text = readme.PAGE.read_text(encoding="utf-8")
    assert text == readme.renewed(text, readme.MEASURED), "run python -m benchmarks.readme"


def test_missing_measurements_are_marked(tmp_path):
    text = f"a {readme.BEGIN} edited {readme.END} z"
    assert readme.renewed(text, tmp_path).count(readme.NOT) == 6
    assert "edited" not in readme.renewed(text, tmp_path)
    report = reports.Report("whole_table_S", SMALL._asdict(), tmp_path)
    report.write(measured({whole_table.SORTED: 0.0}, portion([3], []), portion([5], [])), "")
    found = readme.block(tmp_path)
    assert "1 thread each | 10 *extrapolated from 2 cells* | 2.2 / – |" in found
    assert "(stopped before its end)" in found
    assert f"M (two of width 128): {readme.NOT}" in found


def test_tokenizing_is_timed_for_every_tokenizer(tmp_path):
    lines = [f"film number {n} is {'fine' if n % 2 else 'dull'}.,{n % 2}" for n in range(60)]
    (tmp_path / "reviews.csv").write_text("text,label\n" + "\n".join(lines) + "\n")
    found = tokenizing.measured(str(tmp_path / "reviews.csv"), tmp_path / "cache", 1)
    assert [line["tokens"] for line in found] == ["word", "char", "bpe"]
    assert all(line["sentences"] == 60 for line in found)
    assert all(
        line[name][0] > 0 for line in found for name in ("train", "encode", "library_encode")
    )


def test_a_start_is_timed_until_a_step_is_trained(tmp_path):
    (cold_and_warm,) = startup.measure(1, "planted_lookup", tmp_path)
    assert list(cold_and_warm) == [startup.COLD, startup.WARM]
    assert all(0 < three[0] < startup.LIMIT for three in cold_and_warm.values())
    assert "cold cache" in startup.page(cold_and_warm)
