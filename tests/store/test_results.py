"""The store keeps what it has acknowledged, says clearly what is wrong, and never guesses."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from types import SimpleNamespace

import pytest

from attn_nlp.errors import UserError
from attn_nlp.experiment import Cell, Experiment, Row, Table, vary
from attn_nlp.stats import right
from attn_nlp.store import LARGE, Store, StoreError, file
from attn_nlp.store.records import Records
from attn_nlp.store.schema import VERSION
from tests.store.records import SPEC, record


def test_a_record_comes_back_as_it_was_given(path):
    with Store.open(path) as store:
        assert store.finish(SPEC, record())
        found = store.records([SPEC, "b" * 64], [*record(), "finished_at"])
    assert list(found) == [SPEC]
    once = dict(found[SPEC])
    assert str(once.pop("finished_at")).endswith("+00:00")
    assert once == {"spec": SPEC, **record()}


def test_large_columns_come_only_when_named(path):
    with Store.open(path) as store:
        store.finish(SPEC, record())
        assert not set(LARGE) & set(store.records([SPEC])[SPEC])
        assert store.records(None, ["predictions"]) == {SPEC: {"spec": SPEC, "predictions": [0, 1]}}


def test_a_part_of_a_column_comes_alone_and_as_it_was_written(path):
    with Store.open(path) as store:
        store.finish(SPEC, record())
        store.finish("b" * 64, record(validation=None))
        found = store.records(None, ["validation.accuracy", "validation.f1"])
    assert found[SPEC]["validation.accuracy"] == 0.1 + 0.2
    assert found[SPEC]["validation.f1"] is found["b" * 64]["validation.accuracy"] is None


def test_right_answers_are_kept_beside_predictions(path):
    given = {"a": [0, 1, 1], "b": [1, 1, 1], "c": None, "d": [0, 1]}
    with Store.open(path) as store:
        for spec, predictions in given.items():
            store.finish(spec, record(predictions=predictions, gold=[0, 1, 0]))
        found = store.records(None, ["correct"])
    answers = [found[spec]["correct"] for spec in given]
    assert answers[2:] == [None, None]
    assert right(answers[:2], 3).tolist() == [[True, True, False], [False, True, False]]


def test_columns_of_records_come_in_the_order_asked_for(path):
    with Store.open(path) as store:
        for seed, spec in enumerate("abc"):
            store.finish(spec, record(parameters=seed))
        found = store.records(None, ["parameters"])
    assert found.column("parameters", ("c", "x", "a")) == [2, None, 0]
    assert found.column("predictions", ("c",)) == [None]
    assert dict(Records.of(dict(found))) == dict(found)


def test_the_labels_of_a_dataset_are_kept_once(path):
    with Store.open(path) as store:
        for seed in range(3):
            store.finish(f"{seed:064}", record(gold=[0, 1] * 50, confidences=[0.5 + seed / 10]))
        found = store.records(None, ["gold", "confidences"]).values()
    assert [each["gold"] for each in found] == [[0, 1] * 50] * 3
    assert [each["confidences"] for each in found] == [[0.5], [0.6], [0.7]]
    with closing(sqlite3.connect(path)) as db, db:
        kept = db.execute("SELECT count(*) FROM shared WHERE value LIKE '[0,1,0,1,%'").fetchone()
    db.close()
    assert kept == (1,)


def test_records_of_many_cells_are_each_their_own(path):
    with Store.open(path) as store:
        for seed in range(20):
            test = {"accuracy": seed / 20, "loss": 1.0, "macro_f1": 0.5}
            store.finish(f"{seed:064}", record(test=test))
        found = store.records([f"{seed:064}" for seed in (3, 17, 11)])
        assert len(found) == 3
        for seed in (3, 17, 11):
            assert found[f"{seed:064}"]["test"]["accuracy"] == seed / 20
        assert len(store.records()) == 20


def test_reading_a_missing_store_makes_nothing(path):
    with Store.read(path) as store:
        assert store.records([SPEC]) == {}
        assert store.names() == []
        assert store.running() == set()
    assert not path.parent.exists()


def test_a_reader_cannot_write(path):
    Store.open(path).close()
    with Store.read(path) as store, pytest.raises(StoreError, match="read-only"):
        store.finish(SPEC, record())


def test_a_reader_sees_what_a_writer_adds_meanwhile(path):
    with Store.open(path) as writer, Store.read(path) as reader:
        assert reader.records() == {}
        writer.finish(SPEC, record())
        assert list(reader.records()) == [SPEC]


def test_the_first_final_result_stays(path):
    with Store.open(path) as store:
        assert store.finish(SPEC, record())
        assert not store.finish(SPEC, record(wall_seconds=9.0))
        assert store.records([SPEC])[SPEC]["wall_seconds"] == 5.0


def test_another_result_in_the_same_environment_is_an_alarm(path):
    with Store.open(path) as store:
        store.finish(SPEC, record())
        with pytest.raises(StoreError, match="different predictions; the first result was kept"):
            store.finish(SPEC, record(predictions=[1, 1]))
        assert not store.finish(SPEC, record(predictions=[1, 1], provenance={"jax": "2"}))
        assert store.records([SPEC], ["predictions"])[SPEC]["predictions"] == [0, 1]


def test_a_failed_record_is_replaced(path):
    with Store.open(path) as store:
        store.finish(SPEC, record(status="failed", reason="why", test=None))
        assert store.finish(SPEC, record())
        assert store.records([SPEC])[SPEC]["status"] == "done"


def test_two_fingerprints_of_one_cell_are_an_error_that_names_both(path):
    with Store.open(path) as store:
        store.finish(SPEC, record())
        with pytest.raises(StoreError, match="fingerprint rows and now of other"):
            store.finish(SPEC, record(fingerprint="other"))


def test_nan_is_rejected(path):
    with Store.open(path) as store:
        with pytest.raises(ValueError, match="JSON"):
            store.finish(SPEC, record(test={"accuracy": float("nan")}))
        assert store.records() == {}


def test_deleting_forgets_one_cell(path):
    with Store.open(path) as store:
        store.finish(SPEC, record())
        store.finish("b" * 64, record())
        store.delete(SPEC)
        assert list(store.records()) == ["b" * 64]


def test_pace_is_seconds_a_step_without_compiling(path):
    with Store.open(path) as store:
        store.finish(SPEC, record())
        store.finish("b" * 64, record(wall_seconds=7.0, peak_bytes=3000))
        store.finish("c" * 64, record(status="diverged", wall_seconds=900.0))
        assert store.pace(["p", "unknown"]) == {"p": (0.5, 3000)}


# Claims


def test_a_cell_is_claimed_once(path):
    with Store.open(path) as one, Store.open(path) as other:
        assert one.claim(SPEC)
        assert one.claim(SPEC)
        assert not other.claim(SPEC)
        assert other.running() == {SPEC}
        one.release()
        assert other.running() == set()
        assert other.claim(SPEC)


def test_a_finished_cell_cannot_be_claimed_and_gives_up_its_claim(path):
    with Store.open(path) as one, Store.open(path) as other:
        one.claim(SPEC)
        one.finish(SPEC, record())
        assert one.running() == set()
        assert not other.claim(SPEC)


def test_a_failed_cell_is_claimed_only_to_replace_that_failure(path):
    with Store.open(path) as store:
        store.finish(SPEC, record(status="failed"))
        failed_at = store.records([SPEC])[SPEC]["finished_at"]
        assert not store.claim(SPEC)
        assert not store.claim(SPEC, replaces="another time")
        assert store.claim(SPEC, replaces=failed_at)


CLAIM = """
import sys, time
from attn_nlp.store import Store
store = Store.open(sys.argv[1])
print(store.claim("a" * 64), flush=True)
time.sleep(60)
"""


def test_the_claim_of_a_dead_process_is_taken_over(path):
    other = subprocess.Popen([sys.executable, "-c", CLAIM, path], stdout=subprocess.PIPE, text=True)
    assert other.stdout is not None
    assert other.stdout.readline() == "True\n"
    with Store.open(path) as store:
        assert not store.claim(SPEC)
        assert store.running() == {SPEC}
        other.kill()
        other.communicate()
        assert store.running() == set()
        assert store.claim(SPEC)


def test_another_process_under_the_same_id_is_not_the_owner(path):
    with Store.open(path) as one, Store.open(path) as other:
        one.claim(SPEC)
        with closing(sqlite3.connect(path)) as db, db:
            db.execute("UPDATE claims SET started = 'earlier'")
        db.close()
        assert other.claim(SPEC)


WORK = """
import sys
from attn_nlp.store import Store
record = dict.fromkeys(["reason", "settings"]) | {
    "key": "k", "status": "done", "fingerprint": "f", "provenance": {}, "data": {}}
with Store.open(sys.argv[1]) as store:
    for place in range(25):
        if store.claim(f"{place:064}"):
            store.finish(f"{place:064}", record)
            print(place, flush=True)
"""


def test_a_store_made_while_it_is_opened_is_known(path):
    """Between the look at the file's mark and the look at its tables, another process makes it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path, isolation_level=None)) as db:

        class Late:
            """The connection, but that another one makes the store after the first look."""

            looks = 0

            def execute(self, query):
                found = db.execute(query).fetchall()
                if not self.looks:
                    Store.open(path).close()
                self.looks += 1
                return SimpleNamespace(
                    fetchone=lambda: found[0] if found else None, fetchall=lambda: found
                )

        assert file._version(Late(), path) == VERSION


def test_processes_share_a_store_and_do_each_cell_once(path):
    started = [
        subprocess.Popen([sys.executable, "-c", WORK, path], stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    done = [int(line) for each in started for line in each.communicate()[0].split()]
    assert [each.returncode for each in started] == [0, 0, 0]
    assert sorted(done) == list(range(25))


def test_what_was_acknowledged_survives_kill_9(path):
    writer = WORK.replace("range(25)", "range(100_000)")
    process = subprocess.Popen([sys.executable, "-c", writer, path], stdout=subprocess.PIPE)
    assert process.stdout is not None
    for _ in range(40):
        process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    acknowledged = 40 + len(process.communicate()[0].splitlines())
    with Store.open(path) as store:
        specs = set(store.records())
        assert {f"{place:064}" for place in range(acknowledged)} <= specs
        assert len(specs) <= acknowledged + 1
    with closing(sqlite3.connect(path)) as db, db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    db.close()


# Experiments


def test_an_experiment_comes_back_as_it_was(path):
    resolved = Experiment(
        base=Cell(dataset="planted_lookup"),
        axes=[vary("heads", 1, 2), vary("seed", 0, 1)],
        tables=[
            Table("Heads", [Row("one", {"heads": 1}, reference=True), Row("two", {"heads": 2})])
        ],
    ).resolve("name", "Why?")
    with Store.open(path) as store:
        store.save_experiment(resolved)
        store.save_experiment(resolved)
        assert [name for name, _ in store.names()] == ["name"]
        assert store.experiment("name") == resolved
        with pytest.raises(UserError, match="Did you mean 'name'"):
            store.experiment("nam")


def test_reading_needs_no_jax(path):
    with Store.open(path) as store:
        store.finish(SPEC, record())
    code = (
        "import sys, json; from attn_nlp.store import Store; "
        "print(json.dumps(list(Store.read(sys.argv[1]).records()))); "
        "print([name for name in ('jax', 'datasets', 'matplotlib') if name in sys.modules])"
    )
    out = subprocess.run(
        [sys.executable, "-c", code, path], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert json.loads(out[0]) == [SPEC]
    assert out[1] == "[]"


def test_ids_of_processes_tell_the_living_from_the_dead():
    from attn_nlp.store.processes import alive, this_process

    pid, started, boot = this_process()
    assert pid == os.getpid()
    assert alive(pid, started, boot)
    assert not alive(pid, started, boot + "x")
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    assert not alive(ended.pid, started, boot)


def test_a_process_that_nobody_has_buried_is_dead():
    from attn_nlp.store.processes import _started, alive, this_process

    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    began, (_, _, place) = _started(child.pid), this_process()
    assert alive(child.pid, began, place)
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # ended, and left as it is
    assert not alive(child.pid, began, place)
    child.communicate()
