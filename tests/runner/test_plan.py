"""Plans: what is left, and what it may cost."""

from __future__ import annotations

import json
import os

import pytest

from attn_nlp.data import DataSettings, prepare_dataset
from attn_nlp.data.digests import note_sums
from attn_nlp.errors import UserError
from attn_nlp.experiment import Cell, Experiment, Row, Table, skip, vary
from attn_nlp.experiment.cell import flatten
from attn_nlp.experiment.programs import Programs
from attn_nlp.parts import registry
from attn_nlp.runner import plan as planning
from attn_nlp.runner.plan import BASELINE_SECONDS, check_data, plan, to_do
from attn_nlp.store import Store


def experiment(**base):
    return Experiment(
        base=Cell(dataset="planted_lookup", **base),
        axes=[
            vary("attention.scale", "none", "rsqrt_dim"),
            vary("heads", 1, 2, 4),
            vary("seed", 0, 1),
        ],
        skips=[skip("says nothing new", when={"attention.scale": "none", "heads": 4})],
        tables=[
            Table(
                "Heads",
                [Row("one", {"heads": 1}, reference=True), Row("two", {"heads": 2})],
                columns="attention.scale",
            )
        ],
    ).resolve("heads", "Why?")


@pytest.fixture
def store(tmp_path):
    with Store.open(tmp_path / "store") as store:
        yield store


def finish(store, resolved, spec, **changes):
    settings = resolved.wanted[spec]
    record = {
        "key": "k",
        "status": "done",
        "fingerprint": "f",
        "settings": settings,
        "program": Programs().of(settings)[1],
        "wall_seconds": 12.0,
        "compile_seconds": 2.0,
        "peak_bytes": 123,
    }
    store.finish(spec, record | changes)


def test_an_empty_store_leaves_everything(store):
    resolved = experiment()
    found = plan(resolved, store, workers=4)
    baselines = len(resolved.baselines)
    assert baselines == 2
    assert found.counts == {"to do": 10 + baselines}
    assert found.skipped == {"says nothing new": 2}
    assert (found.baselines, found.workers, found.measured) == (baselines, 4, 0)
    # "none" and "rsqrt_dim" differ in a number only; one program for each number of heads.
    assert found.programs == 3


def test_the_estimate_follows_the_stated_assumption(store):
    resolved = experiment()
    found = plan(resolved, store, workers=1)
    cell = Cell(dataset="planted_lookup", heads=1)
    wide, hidden, tokens = 64, 256, 20
    forward = 2 * (4 * wide * wide + 2 * tokens * wide + 2 * wide * hidden)
    step = 3 * forward * cell.batch_size * tokens / 45e9
    expected = 10 * cell.steps * step + 3 * 10.0 + 2 * BASELINE_SECONDS
    # Norms, rectifiers, softmax and the like are a few percent of the matrix products.
    assert expected < found.seconds < 1.05 * expected
    expected, found_assumption = found.seconds, found.assumption
    assert found_assumption == (
        "assumes 45 GFLOP/s per worker, 10 s to compile a program and 20 tokens per sentence of "
        "planted_lookup, which this machine has not prepared yet"
    )
    assert plan(resolved, store, workers=2).seconds == pytest.approx(expected / 2)


def test_the_estimate_takes_the_lengths_of_prepared_data(store, tmp_path):
    """Attention aside, operations go with the tokens; a longer text is cut to the cell's length."""
    seconds = []
    for place, mean in enumerate((20.0, 40.0, 400.0, 500.0)):
        folder = tmp_path / "data" / f"planted_lookup-{place}"
        folder.mkdir(parents=True)
        facts = {
            "settings": {"dataset": "planted_lookup", "tokens": "word"},
            "splits": {"train": {"mean_length": mean}},
        }
        kept = {"folder": folder.name, "facts": facts}
        (folder / "prepared.json").write_text(json.dumps(kept))
        note_sums(folder)
        os.utime(folder / "prepared.json", (place, place))  # the latest counts
        found = plan(experiment(), store, workers=1, data=tmp_path / "data")
        assert found.lengths == {"planted_lookup": mean}
        assert found.assumption.endswith(f"tokens per sentence as prepared: planted_lookup {mean}")
        seconds.append(found.seconds - 3 * 10.0 - 2 * BASELINE_SECONDS)
    assert seconds[0] == plan(experiment(), store, workers=1).seconds - 50.0
    assert 2 * seconds[0] < seconds[1] < 2.5 * seconds[0]
    assert seconds[2] == seconds[3]


def test_the_lengths_of_every_way_to_make_tokens_are_told(store, tmp_path):
    for tokens, mean in (("word", 9.0), ("char", 45.0)):
        folder = tmp_path / f"mr-{tokens}"
        folder.mkdir()
        facts = {
            "settings": {"dataset": "mr", "tokens": tokens},
            "splits": {"train": {"mean_length": mean}},
        }
        (folder / "prepared.json").write_text(json.dumps({"folder": folder.name, "facts": facts}))
        note_sums(folder)
    rows = [Row(tokens, {"tokens": tokens}) for tokens in ("word", "char")]
    resolved = Experiment(
        base=Cell(dataset="mr"),
        axes=[vary("tokens", "word", "char"), vary("seed", 0)],
        tables=[Table("Tokens", rows)],
    ).resolve("tokens", "")
    found = plan(resolved, store, workers=1, data=tmp_path)
    assert found.lengths == {"mr with tokens word": 9.0, "mr with tokens char": 45.0}


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "[" * 100_000, '{"folder": "planted_lookup-0", "facts": {"settings": 3}}'],
)
def test_damaged_prepared_data_leaves_the_length_assumed(store, tmp_path, text):
    (tmp_path / "planted_lookup-0").mkdir()
    (tmp_path / "planted_lookup-0" / "prepared.json").write_text(text)
    note_sums(tmp_path / "planted_lookup-0")
    found = plan(experiment(), store, workers=1, data=tmp_path)
    assert found.lengths == {"planted_lookup": None}


def test_the_length_of_data_that_is_really_prepared(store, tmp_path):
    prepared = prepare_dataset(DataSettings("planted_lookup"), tmp_path)
    start, stop = prepared.splits["train"]
    found = plan(experiment(), store, workers=1, data=tmp_path)
    mean = prepared.lengths[start:stop].mean()  # nothing is cut
    assert found.lengths == {"planted_lookup": pytest.approx(mean)}


def test_a_model_of_unknown_cost_is_guessed_to_take_as_long_as_a_baseline(catalogue, store):
    @registry.model("own", label="Own")
    def own(prepared, report):
        """Fit somehow."""

    resolved = Experiment(
        base=Cell(dataset="planted_lookup", model="own"),
        axes=[vary("seed", 0, 1, 2)],
        tables=[Table("Own", [Row("own", {"model": "own"})], columns="dataset")],
    ).resolve("own", "Why?")
    found = plan(resolved, store, workers=1)
    baselines = len(resolved.baselines)
    assert found.seconds == pytest.approx((3 + baselines) * BASELINE_SECONDS + 10.0)


def test_measured_cells_replace_the_estimate(store):
    resolved = experiment()
    for each in (*resolved.baselines, *resolved.cells[:5]):
        finish(store, resolved, each["spec"])
    found = plan(resolved, store, workers=1)
    assert found.counts == {"to do": 5, "done": 7}
    assert found.measured == 5
    assert found.seconds == pytest.approx(5 * 10.0 + 3 * 10.0)
    batches = planning.SENTENCE_BYTES * 1000 * 32
    assert found.memory_bytes == planning.PROCESS_BYTES + 123 + batches
    # The pace is known for other numbers of steps too.
    longer = plan(experiment(steps=2000), store, workers=1)
    assert longer.measured == 10
    assert longer.seconds == pytest.approx(10 * 20.0 + 3 * 10.0)


def test_failed_cells_are_left_alone_unless_asked(store):
    resolved = experiment()
    spec = resolved.cells[0]["spec"]
    finish(store, resolved, spec, status="failed")
    assert plan(resolved, store, workers=1).counts == {"to do": 11, "failed": 1}
    assert plan(resolved, store, workers=1, retry_failed=True).counts == {"to do": 12}


def test_what_is_to_do_keeps_the_order():
    records = {name: {"status": name} for name in ("done", "failed", "diverged", "skipped")}
    specs = ["new", *records, "newer"]
    assert to_do(specs, records, False) == ["new", "newer"]
    assert to_do(specs, records, True) == ["new", "failed", "newer"]


def test_baselines_come_first():
    resolved = experiment()
    assert list(resolved.wanted)[:2] == [each["spec"] for each in resolved.baselines]


def test_a_finished_experiment_costs_nothing(store):
    resolved = experiment()
    for spec in resolved.wanted:
        finish(store, resolved, spec)
    found = plan(resolved, store, workers=4)
    assert (found.seconds, found.memory_bytes, found.programs) == (0.0, 0, 0)


def test_seeds_share_a_program_and_steps_share_a_pace():
    programs = Programs()
    base = flatten(Cell(dataset="planted_lookup"))
    assert programs.of(base)[:2] == programs.of(base | {"seed": 9})[:2]
    longer = programs.of(base | {"steps": 7})
    assert longer[0] != programs.of(base)[0]
    assert longer[1] == programs.of(base)[1]
    assert programs.of(base | {"heads": 2})[1] != programs.of(base)[1]


def test_labels_name_what_differs():
    resolved = experiment()
    label = resolved.label
    assert label(resolved.cells[0]["settings"]) == "encoder heads=1 scale=none seed=0"


def test_unknown_names_are_rejected():
    with pytest.raises(UserError, match="unknown dataset 'planted_lokup'"):
        check_data(experiment().__class__.from_json(_renamed("dataset", "planted_lokup")))
    with pytest.raises(UserError, match="unknown tokens 'wrod'"):
        check_data(experiment().__class__.from_json(_renamed("tokens", "wrod")))


def _renamed(path, value):
    plain = experiment().as_json()
    for settings in plain["cells"]["settings"]:
        settings[path] = value
    return plain


def test_many_steps_need_memory_for_the_order_of_their_sentences(store):
    axes, tables = [vary("heads", 1, 2), vary("seed", 0)], [Table("T", "heads")]
    predicted = []
    for steps in (100, 10**8):
        base = Cell(dataset="planted_lookup", steps=steps, batch_size=8)
        resolved = Experiment(base=base, axes=axes, tables=tables).resolve("t", "")
        predicted.append(plan(resolved, store, workers=1).memory_bytes)
    assert predicted[1] - predicted[0] == 8 * 8 * (10**8 - 100)
    spec = next(spec for spec, each in resolved.wanted.items() if each["model"] == "encoder")
    finish(store, resolved, spec, peak_bytes=10**6)  # of whatever number of steps
    assert plan(resolved, store, workers=1).memory_bytes > 6 * 10**9


def test_cells_of_one_shape_are_of_one_program():
    programs, cell = Programs(), Cell()
    same = [{"learning_rate": 0.5}, {"seed": 3}, {"dropout": 0.2}, {"fold": 1}]
    other = [{"dropout": 0.0}, {"warmup": 0.2}, {"heads": 1}, {"steps": 5}]
    name = programs.of(flatten(cell))[0]
    for changes, equal in [*((each, True) for each in same), *((each, False) for each in other)]:
        changed = cell.replace(changes)
        assert (programs.of(flatten(changed))[0] == name) is equal, changes
        assert (changed.program() == cell.program()) is equal
