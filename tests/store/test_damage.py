"""Whatever stands in a store from elsewhere: damage is named, by readers and by the doctor."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from attn_nlp.cli import main
from attn_nlp.experiment import Cell, Experiment, Row, Table, vary
from attn_nlp.experiment.identity import key_of
from attn_nlp.store import Store, StoreError
from attn_nlp.store.checksums import NAME as CHECKSUMS
from attn_nlp.store.doctor import examine, repair
from attn_nlp.store.schema import COLUMNS, CORRECT, SEALED, seal
from attn_nlp.store.transfer import export, merge
from tests.store.records import record

RESOLVED = Experiment(
    base=Cell(model="bag_of_embeddings", dataset="planted_lookup"),
    axes=[vary("heads", 1, 2), vary("seed", 0, 1)],
    tables=[Table("Heads", [Row("one", {"heads": 1}, reference=True), Row("two", {"heads": 2})])],
).resolve("name", "Why?")
SPECS = [cell["spec"] for cell in RESOLVED.runnable]
DEEP = "[" * 200_000 + "]" * 200_000


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A sound store, as one file."""
    path = tmp_path_factory.mktemp("whole") / "store.sqlite"
    with Store.open(path) as store:
        for cell in RESOLVED.runnable:
            given = record(
                key=key_of(cell["spec"], "rows", "tokens"),
                gold=[0, 0],
                confidences=[0.5, 0.6],  # an ECE of 0.55 and a loss of 0.8046 or more
                settings=cell["settings"],
                data={"label": "L", "class_names": ["a", "b"], "splits": {"test": {"rows": 2}}},
                history=[{"step": 1, "validation_accuracy": 0.5}],
            )
            store.finish(cell["spec"], given)
        store.save_experiment(RESOLVED)
    assert examine(path) == []
    return path


@pytest.fixture
def changed(whole, tmp_path):
    """The store after some SQL, by default with checksums that fit, as whoever forges it has."""

    def change(*statements, sealed=True):
        path = tmp_path / "store.sqlite"
        path.write_bytes(whole.read_bytes())
        with closing(sqlite3.connect(path)) as db, db:
            for statement in statements:
                db.execute(statement)
            if sealed:
                seal(db)
        return path

    return change


# A value that fits its column and all others, in the place of what was written.
ROTTEN = {
    "key": "replace(key, substr(key, 9, 1), 'x')",
    "status": "'diverged'",
    "reason": "'x'",
    "program": "'q'",
    "parameters": "8",
    "best_step": "31",
    "wall_seconds": "5.5",
    "compile_seconds": "NULL",
    "peak_bytes": "1001",
    "fingerprint": "'rowt'",
    "tokenizer_hash": "'tokent'",
    "finished_at": "replace(finished_at, '202', '203')",
    "validation": "json_set(validation, '$.accuracy', 0.4)",
    "test": "json_set(test, '$.loss', 2.0)",
    "provenance": "data",
    "data": "NULL",
    "gold": "NULL",
    CORRECT: "x'40'",
    "settings": "json_set(settings, '$.steps', 1001)",
    "confusion": "NULL",
    "history": "json_set(history, '$[0].step', 2)",
    "predictions": "NULL",
    "detail": "'x'",
    "confidences": "'[0.5,0.7]'",
}


@pytest.mark.parametrize("column", ROTTEN)
def test_a_value_that_fits_and_is_not_what_was_written_is_not_shown(changed, tmp_path, column):
    table = next(name for name, columns in SEALED.items() if column in columns)
    one = SPECS[1]
    path = changed(
        f"UPDATE {table} SET {column} = {ROTTEN[column]} WHERE spec = '{one}'", sealed=False
    )
    says = f"1 cell has a damaged {column}: it is not what was written, by its checksum."
    (found,) = [each for each in examine(path) if each.message == says]
    assert (found.severe, found.repair, found.specs) == (True, "", (one,))
    with Store.read(path) as store, Store.open(tmp_path / "other.sqlite") as other:
        for specs in (None, SPECS, [one]):
            for own in (False, True):
                with pytest.raises(StoreError, match=f"cell {one[:12]} "):
                    store.records(specs, [column], own=own)
        assert len(store.records([SPECS[0]], [column], own=True)) == 1
        if column != CORRECT:  # worked out again for a store that is written
            with pytest.raises(StoreError, match=f"cell {one[:12]} "):
                merge(store, other)
            assert other.records() == {}
    if column == "test":
        with Store.read(path) as store, pytest.raises(StoreError, match="by its checksum"):
            store.records([one], ["test.accuracy"])


def test_every_column_is_among_those(whole):
    assert {*ROTTEN, "spec"} == {*SEALED["cells"], *SEALED["details"]}


@pytest.mark.parametrize(
    "value", ["NULL", "x''", "zeroblob(80)", "'text'", f"substr({CHECKSUMS}, 2)"]
)
def test_a_row_without_its_checksums_is_not_shown(changed, value):
    with (
        Store.read(changed(f"UPDATE cells SET {CHECKSUMS} = {value}", sealed=False)) as store,
        pytest.raises(StoreError, match="has a damaged spec: it is not what was written"),
    ):
        store.records(None, ["status"])


def test_a_cell_whose_spec_rots_is_not_taken_for_one_that_has_not_run(changed):
    rotten = SPECS[0][:-1] + "x"
    path = changed(f"UPDATE cells SET spec = '{rotten}' WHERE spec = '{SPECS[0]}'", sealed=False)
    with Store.read(path) as store:
        with pytest.raises(StoreError, match="the spec of a cell is not what was written"):
            store.records(SPECS, ["status"], own=True)
        assert len(store.records(SPECS[1:], ["status"], own=True)) == len(SPECS) - 1


@pytest.mark.parametrize("lost", ["", f"spec = '{SPECS[0]}'"])
def test_cells_that_are_gone_are_not_taken_for_cells_that_have_not_run(changed, tmp_path, lost):
    where = f" WHERE {lost}" if lost else ""
    path = changed(f"DELETE FROM cells{where}", f"DELETE FROM details{where}", sealed=False)
    left = len(SPECS) - 1 if lost else 0
    says = f"it has {left} of {len(SPECS)} cells that were stored"
    assert f"Cells are lost: {says}." in [each.message for each in examine(path) if each.severe]
    with Store.read(path) as store:
        for read in (
            lambda: store.records(None, ["status"]),
            lambda: store.records(SPECS, ["status"], own=True),
            lambda: export(store, tmp_path / "copy.sqlite"),
            lambda: export(store, tmp_path / "copy.sqlite", [RESOLVED]),
        ):
            with pytest.raises(StoreError, match=says):
                read()
        with Store.open(tmp_path / "other.sqlite") as other, pytest.raises(StoreError, match=says):
            merge(store, other)
    with Store.open(path) as store, pytest.raises(StoreError, match=says):
        store.check_sound()
    assert any(done.startswith("keeps the cells that are left") for done in repair(path))
    with Store.open(path) as store:
        assert len(store.records(None, ["status"])) == left
        assert store.finish(SPECS[0], record(key=key_of(SPECS[0], "rows", "tokens")))
        store.delete(SPECS[0])
        store.check_sound()


@pytest.mark.parametrize(
    "rotten",
    [
        "resolved = replace(resolved, 'Why?', 'Whyy')",
        "saved_at = replace(saved_at, '202', '203')",
        f"{CHECKSUMS} = NULL",
    ],
)
def test_an_experiment_that_is_not_what_was_written_is_not_shown(changed, capsys, rotten):
    path = changed(f"UPDATE experiments SET {rotten}", sealed=False)
    (found,) = examine(path)
    why = "its checksum is 'another'; allowed is that of what was written"
    assert found.severe
    assert why in found.message
    for command in (["table", "--name", "name"], ["status"], ["table", "--name", "other"]):
        assert main([*command, "--store", str(path)]) == 4
        assert why in capsys.readouterr().err


def cells(column, value):
    return column, f"UPDATE cells SET {column} = {value}"


def details(column, value):
    return column, f"UPDATE details SET {column} = {value}"


def shared(column, value):
    return column, f"UPDATE shared SET value = {value} WHERE id = (SELECT {column} FROM cells)"


def scores(path, value):
    return "test", f"UPDATE cells SET test = json_set(test, '$.{path}', {value})"


DAMAGE = [
    (*cells("data", "999"), "it refers to nothing"),
    (*cells("data", "'x'"), "it refers to nothing"),
    (*cells("provenance", "999"), "it refers to nothing"),
    (*cells("provenance", "gold"), "provenance is [0, 0]; allowed is a mapping"),
    (*cells("gold", "999"), "it refers to nothing"),
    (*cells("gold", "data"), "allowed is a list"),
    (*shared("data", "'{'"), "it is no JSON"),
    (*shared("data", f"'{DEEP}'"), "its JSON is too deep"),
    (*shared("data", "json_set(value, '$.splits', 5)"), "data.splits is 5; allowed is a mapping"),
    (*shared("data", "json_set(value, '$.splits.test.rows', 'x')"), "data.splits.test.rows is 'x'"),
    (*shared("data", "json_set(value, '$.class_names[0]', 5)"), "data.class_names[0] is 5"),
    (*shared("gold", "'[-1]'"), "gold[0] is -1; allowed is an integer from 0"),
    (*scores("accuracy", "-5"), "test.accuracy is -5; allowed is a number from 0 to 1"),
    (*scores("accuracy", "1e308"), "test.accuracy is 1e+308; allowed is a number from 0 to 1"),
    (*scores("accuracy", "'high'"), "test.accuracy is 'high'"),
    (*scores("loss", "-1"), "test.loss is -1; allowed is a number from 0"),
    (*cells("test", '\'{"accuracy":NaN,"loss":1}\''), "test.accuracy is nan"),
    (*cells("test", f"'{{\"accuracy\":{'9' * 5000}}}'"), "it is no JSON"),
    (*cells("test", f"'{DEEP}'"), "its JSON is too deep"),
    (*cells("test", "'5'"), "it is no JSON"),
    (*cells("test", "'[]'"), "test is []; allowed is a mapping"),
    (*cells("validation", "x'00'"), "it is no JSON"),
    (*cells("parameters", "'many'"), "parameters is 'many'; allowed is an integer from 0"),
    (*cells("parameters", "1.5"), "parameters is 1.5"),
    (*cells("best_step", "-1"), "best_step is -1"),
    (*cells("wall_seconds", "'long'"), "wall_seconds is 'long'; allowed is a number from 0"),
    (*cells("wall_seconds", "9e999"), "wall_seconds is inf"),
    (*cells("peak_bytes", "x'00'"), r"peak_bytes is b'\x00'"),
    (*cells("correct", "'text'"), "correct is 'text'; allowed is bytes"),
    (*cells("status", "'odd'"), "status is 'odd'; allowed is done, diverged, skipped or failed"),
    (*cells("reason", "CAST(x'ff' AS TEXT)"), "allowed is text without lone surrogates"),
    (*cells("finished_at", "'x'"), "finished_at is 'x'; allowed is a date and time"),
    (*cells("program", "x'00'"), r"program is b'\x00'; allowed is text"),
    (*details("settings", "'5'"), "it is no JSON"),
    (*details("settings", "'{\"steps\":[1]}'"), "settings.steps is [1]"),
    (
        *details("settings", "'{\"steps\":0}'"),
        "settings.steps is 0; allowed is an integer from 1",
    ),
    (*details("predictions", "'5'"), "it is no JSON"),
    (*details("predictions", "'[\"a\"]'"), "predictions[0] is 'a'"),
    (*details("confusion", "'[\"a\"]'"), "confusion[0] is 'a'; allowed is a list"),
    (*details("confusion", "'[[1,2],[3]]'"), "the length of confusion[1] is 1; allowed is 2"),
    (*details("history", "'[1]'"), "history[0] is 1; allowed is a mapping"),
    (*details("confidences", "'[2.0]'"), "confidences[0] is 2.0; allowed is a number from 0 to 1"),
    (*details("detail", "x'ff'"), r"detail is b'\xff'; allowed is text"),
]


@pytest.mark.parametrize(
    ("column", "statement", "why"), DAMAGE, ids=[f"{n}-{each[0]}" for n, each in enumerate(DAMAGE)]
)
def test_a_damaged_value_is_named_by_readers_and_by_the_doctor(
    changed, tmp_path, column, statement, why
):
    path = changed(statement)
    found = {
        each.message: each for each in examine(path) if f"a damaged {column}: " in each.message
    }
    (says,) = found
    assert says.startswith(f"{len(SPECS)} cells have a damaged {column}: ")
    assert why in says
    assert found[says].severe
    assert set(found[says].specs) == set(SPECS)
    assert repair(path) == []
    with Store.read(path) as store:
        reads = [
            lambda: store.records(None, [column]),
            lambda: store.records(SPECS[:1], ["status", column]),
        ]
        if column != CORRECT:  # which an export works out anew
            reads.append(lambda: export(store, tmp_path / "copy.sqlite"))
        for read in reads:
            with pytest.raises(StoreError, match=r"cell \w{12} has a damaged") as error:
                read()
            assert str(path) in str(error.value)
            assert why in str(error.value)
            assert "\n" not in str(error.value)
        untouched = [name for name in COLUMNS if name != column]
        assert len(store.records(None, untouched)) == len(SPECS), "only what is read is checked"


def test_a_part_of_damaged_scores_is_not_read_as_lacking(changed):
    for value in ("'5'", '\'{"accuracy":"x"}\'', "'{'", f"'{DEEP}'"):
        with (
            Store.read(changed(cells("test", value)[1])) as store,
            pytest.raises(StoreError, match="has a damaged test"),
        ):
            store.records(None, ["test.accuracy"])


@pytest.mark.parametrize(
    "command",
    [
        ["status"],
        ["table", "--name", "name"],
        ["report", "--name", "name", "--out", "r.html"],
        ["figure", "results", "--name", "name", "--kind", "forest", "--out", "."],
        ["watch", "--name", "name", "--once"],
    ],
    ids=lambda command: command[0],
)
def test_results_under_the_spec_of_another_cell_are_not_shown(
    changed, tmp_path, monkeypatch, capsys, command
):
    monkeypatch.chdir(tmp_path)
    one, other = SPECS[0], SPECS[-1]
    exchange = [
        f"UPDATE {table} SET spec = '{new}' WHERE spec = '{old}'"
        for table in ("cells", "details")
        for old, new in ((one, "x"), (other, one), ("x", other))
    ]
    path = changed(*exchange)
    assert main([*command, "--store", str(path)]) == 4
    says = capsys.readouterr().err
    assert "has a key that is not its own; 'attn-nlp doctor" in says
    assert len(says.splitlines()) == 1
    assert all(each.name.startswith("store.sqlite") for each in tmp_path.iterdir())


CONTRADICTIONS = [
    (scores("accuracy", "0.9")[1], "test.accuracy is 0.9; allowed is 0.5, 1 of 2 by confusion"),
    (scores("macro_f1", "0.9")[1], "test.macro_f1 is 0.9; allowed is 0.333333 by its own predict"),
    (scores("ece", "0")[1], "test.ece is 0; allowed is 0.55 by its own confidences"),
    (scores("loss", "0.8")[1], "test.loss is 0.8; allowed is 0.804604 or more by its own conf"),
    (details("confidences", "'[0.5]'")[1], "the length of confidences is 1; allowed is 2, one a"),
    (cells("test", "NULL")[1], "test is None; allowed is scores where a cell is done"),
    (scores("accuracy", "NULL")[1], "test.accuracy is None; allowed is a number from 0 to 1 where"),
    (details("predictions", "'[0,99]'")[1], "predictions by class is {0: 1, 99: 1}"),
    (details("predictions", "'[0]'")[1], "the length of predictions is 1; allowed is 2"),
    (details("confusion", "'[[2,0],[0,0]]'")[1], "predictions by class is {0: 1, 1: 1}"),
    (shared("gold", "'[0,1]'")[1], "the right answers of predictions is 2; allowed is 1"),
    (shared("gold", "'[0]'")[1], "the length of predictions is 2; allowed is 1, one a label"),
]


@pytest.mark.parametrize(("statement", "why"), CONTRADICTIONS)
def test_a_forged_number_is_found_and_goes_into_no_other_store(changed, tmp_path, statement, why):
    path = changed(statement)
    says = [each.message for each in examine(path) if each.severe]
    assert any(why in each and f"{len(SPECS)} cells contradict" in each for each in says), says
    with Store.read(path) as store, Store.open(tmp_path / "other.sqlite") as other:
        rejection = "contradicts itself|has 1 labels of a test split of 2 sentences"
        with pytest.raises(StoreError, match=rejection):
            merge(store, other)
        with pytest.raises(StoreError, match=rejection):
            export(store, tmp_path / "copy.sqlite")
        assert other.records() == {}
    assert not (tmp_path / "copy.sqlite").exists()


def test_a_failed_cell_with_scores_is_found(changed):
    (found,) = examine(changed(cells("status", "'failed'")[1]))
    assert "allowed is None where a cell is failed" in found.message


def set_to(path, value):
    return f"UPDATE experiments SET resolved = json_set(resolved, '$.{path}', {value})"


EXPERIMENTS = [
    ("UPDATE experiments SET resolved = '[]'", "it is []; allowed is a mapping"),
    ("UPDATE experiments SET resolved = '{}'", "it is {}; allowed is a mapping with 'name'"),
    ("UPDATE experiments SET resolved = 'null'", "it is None; allowed is a mapping"),
    ("UPDATE experiments SET resolved = x'00'", "allowed is the JSON of an experiment"),
    (f"UPDATE experiments SET resolved = '{DEEP}'", "allowed is JSON that is less deep"),
    ("UPDATE experiments SET name = 'other'", "its name is 'name'; allowed is other"),
    (set_to("new", "1"), "allowed is a mapping without 'new'"),
    (set_to("cells", "7"), "it.cells is 7; allowed is a list"),
    (set_to("cells", "json('[]')"), "it.cells is []; allowed is at least one cell"),
    (set_to("cells.specs", "json('[\"x\"]')"), "it.cells.specs is ['x']; allowed is one for every"),
    (set_to("cells.settings[0].heads", "json('[1]')"), "it.cells.settings[0].heads is [1]"),
    (set_to("baselines[0].settings", "json('{}')"), "it.baselines[0].settings is {}"),
    (set_to("tables", "json('[1]')"), "it.tables[0] is 1; allowed is a mapping"),
    (set_to("tables[0].rows[0].where", "5"), "it.tables[0].rows[0].where is 5"),
    (
        set_to("tables[0].columns", "json('[\"no\"]')"),
        "it.tables[0] is 'no'; allowed is paths that",
    ),
    (set_to("tables[0].family", "5"), "it.tables[0].family is 5; allowed is column or table"),
    (set_to("tuning", "json('{}')"), "it.tuning is {}; allowed is a mapping with 'budget'"),
]


@pytest.mark.parametrize(("statement", "why"), EXPERIMENTS, ids=[each[1] for each in EXPERIMENTS])
def test_a_damaged_experiment_is_named(changed, tmp_path, capsys, statement, why):
    path = changed(statement)
    (found,) = examine(path)
    assert found.severe
    assert why in found.message
    name = "other" if "name = " in statement else "name"
    for command in (
        ["table", "--name", name],
        ["status"],
        ["watch", "--once", "--name", name],
        ["export", "--out", str(tmp_path / "copy.sqlite")],
    ):
        assert main([*command, "--store", str(path)]) == 4
        err = capsys.readouterr().err
        assert f"experiment {name!r}: " in err
        assert why in err
        assert len(err.splitlines()) == 1


ENDLESS = (
    "AS WITH RECURSIVE c (name, value) AS "
    "(SELECT 'version', '4' UNION ALL SELECT name, value FROM c) SELECT name, value FROM c"
)
FOREIGN = [
    (("DROP TABLE meta", f"CREATE VIEW meta {ENDLESS}"), "has the view 'meta'"),
    ((f"CREATE VIEW more {ENDLESS}",), "has the view 'more'"),
    (
        ("CREATE TRIGGER t AFTER INSERT ON cells BEGIN DELETE FROM cells; END",),
        "has the trigger 't'",
    ),
    (("CREATE TABLE more (a)",), "has the table 'more'"),
    (("CREATE VIRTUAL TABLE more USING fts5 (a)",), "has the table 'more"),
    (("ALTER TABLE cells ADD COLUMN g TEXT AS (spec)",), "a table cells that no attn-nlp makes: "),
    (
        ("ALTER TABLE details ADD COLUMN more",),
        "has a table details that no attn-nlp makes: 'more'",
    ),
    (("DROP TABLE experiments",), "lacks the table experiments"),
    (("CREATE UNIQUE INDEX more ON cells (status)",), "has the index 'more'"),
]


@pytest.mark.parametrize(("statements", "says"), FOREIGN, ids=[each[1] for each in FOREIGN])
def test_a_store_with_a_schema_of_others_is_rejected(changed, capsys, statements, says):
    if "UNIQUE" in statements[0]:
        statements = (f"DELETE FROM cells WHERE spec <> '{SPECS[0]}'", *statements)
    path = changed(*statements, sealed=False)
    before = path.read_bytes()
    for command in ("status", "doctor", "pack"):
        assert main([command, "--store", str(path)]) == 4
        err = capsys.readouterr().err
        assert says in err
        assert len(err.splitlines()) == 1
    with pytest.raises(StoreError, match="another program has changed it"):
        Store.open(path)
    assert path.read_bytes() == before


def test_what_analyze_leaves_and_an_older_index_are_harmless(changed):
    path = changed("ANALYZE", "CREATE INDEX cells_by_program ON cells (program)")
    with Store.open(path) as store:
        assert len(store.records()) == len(SPECS)
    assert examine(path) == []


@pytest.mark.parametrize("value", ["'x'", "x'00'", f"'{'9' * 5000}'", "''", "'-1'", "'4.0'"])
def test_a_version_that_is_none_is_one_line(changed, capsys, value):
    path = changed(f"UPDATE meta SET value = {value} WHERE name = 'version'")
    for command in ("status", "doctor"):
        assert main([command, "--store", str(path)]) == 4
        assert "it has no version of ours" in capsys.readouterr().err


def test_lost_details_are_named_where_they_are_read(changed):
    with Store.read(changed("DELETE FROM details WHERE rowid = 1")) as store:
        assert len(store.records(None, ["status"])) == len(SPECS)
        with pytest.raises(StoreError, match="a cell has lost its details"):
            store.records(None, ["history"])


def test_details_of_nothing_are_named_and_removed(changed):
    path = changed("INSERT INTO details (spec) VALUES (NULL)")
    (found,) = examine(path)
    assert (found.message, found.repair) == ("1 row of details belongs to no cell.", "remove it")
    assert repair(path) == ["removed details without a cell, (None)"]
    assert examine(path) == []


@pytest.mark.parametrize("token", [str(2**63 - 1), str(2**62), "9" * 30, "x", "-1", "1.5"])
def test_a_number_of_claims_that_cannot_be_counted_up_is_named(changed, capsys, token):
    path = changed(f"INSERT INTO meta VALUES ('token', '{token}')")
    with Store.open(path) as store, pytest.raises(StoreError, match="a claim is not what a run"):
        store.claim("b" * 64)
    assert main(["doctor", "--store", str(path)]) == 3
    assert "the number of the last claim is '" in capsys.readouterr().out


@pytest.mark.parametrize(
    "values", ["('q','o','x','x',x'00',x'00','x')", f"(NULL,'o',1,{10**13},'s','',0)"]
)
def test_a_claim_that_is_none_is_given_up(changed, values):
    path = changed(f"INSERT INTO claims VALUES {values}")
    (found,) = examine(path)
    assert found.message == "1 claim is held by processes that have ended, or by none."
    assert len(repair(path)) == 1
    assert examine(path) == []


def test_a_pace_that_is_no_number_is_named(changed):
    programs = ["p"]
    with Store.read(changed()) as store:
        assert store.pace(programs) == {"p": ((5.0 - 1.0) / 1000, 1000)}
    for _, statement in (cells("wall_seconds", "'long'"), details("settings", "'{\"steps\":0}'")):
        with Store.read(changed(statement)) as store, pytest.raises(StoreError, match="damaged"):
            store.pace(programs)


@pytest.mark.parametrize("column", ["test", "test.accuracy"])
@pytest.mark.parametrize("forged", [scores("accuracy", "0.99")[1], cells(CORRECT, "x'C0'")[1]])
def test_an_accuracy_that_is_not_that_of_the_right_answers_is_rejected(changed, column, forged):
    says = r"is damaged: cell \w{12} has the test\.accuracy"
    with Store.read(changed(forged)) as store, pytest.raises(StoreError, match=says) as e:
        store.records(None, ["status", CORRECT, "gold", column])
    right, accuracy = (2, 0.5) if CORRECT in forged else (1, 0.99)
    assert f"has the test.accuracy {accuracy} and {right} right answers of 2;" in str(e.value)


FIVE_SENTENCES = "UPDATE shared SET value = json_set(value, '$.splits.test.rows', 5) "


@pytest.mark.parametrize(
    ("forged", "columns", "says"),
    [
        (cells(CORRECT, "NULL")[1], [CORRECT, "gold"], "predictions and labels, and no right"),
        (
            FIVE_SENTENCES + "WHERE id IN (SELECT data FROM cells)",
            ["data", "gold"],
            "2 labels of a test split of 5 sentences",
        ),
    ],
)
def test_columns_that_belong_to_no_one_cell_are_rejected(changed, tmp_path, forged, columns, says):
    with Store.read(changed(forged)) as store, Store.open(tmp_path / "other.sqlite") as other:
        with pytest.raises(StoreError, match=rf"cell \w{{12}} has {says}"):
            store.records(None, columns)
        if CORRECT in columns:  # merging works them out anew
            assert merge(store, other).added == len(SPECS)
            assert len(other.records(None, columns)) == len(SPECS)
        else:
            with pytest.raises(StoreError, match=says):
                merge(store, other)


@pytest.mark.parametrize("score", ["macro_f1", "matthews", "ece"])
@pytest.mark.parametrize("confusion", ["confusion", "NULL"])
def test_a_score_that_does_not_follow_from_the_answers_is_not_shown(changed, score, confusion):
    says = rf"is damaged: cell \w{{12}}: test\.{score} is 0\.99"
    path = changed(scores(score, "0.99")[1], details("confusion", confusion)[1])
    with Store.read(path) as store:
        with pytest.raises(StoreError, match=says):
            store.records(None, ["status", f"test.{score}"], own=True)
        store.records(None, ["status", "test.loss"], own=True)


def test_a_loss_below_what_confidences_allow_is_not_shown(changed):
    with Store.read(changed(scores("loss", "0.8")[1])) as store:
        with pytest.raises(StoreError, match=r"test\.loss is 0\.8; allowed is 0\.804604 or more"):
            store.records(None, ["status", "test.loss"], own=True)
        store.records(None, ["status", "test.macro_f1"], own=True)


SWAPPED = (details("predictions", "'[1,0]'")[1], details("confusion", "NULL")[1])
OTHERS = (details("predictions", "NULL")[1], cells(CORRECT, "NULL")[1])


@pytest.mark.parametrize(
    ("forged", "columns", "says"),
    [
        (SWAPPED, ["predictions"], " has right answers that are not those of its predictions"),
        (SWAPPED, ["confidences"], " has right answers that are not those of its predictions"),
        (
            details("predictions", "'[0,0]'")[1:],
            ["predictions"],
            ": predictions by class is {0: 2}; allowed is [1, 1], the columns of confusion",
        ),
        (
            details("confusion", "'[[2,0],[0,0]]'")[1:],
            ["confusion", "test"],
            ": test.accuracy is 0.5; allowed is 1, 2 of 2 by confusion",
        ),
        (
            (*OTHERS, scores("accuracy", "1.0")[1]),
            ["test.accuracy"],
            ": test.accuracy is 1.0; allowed is 0.5, 1 of 2 by confusion",
        ),
        (
            (*OTHERS, cells("gold", "NULL")[1], scores("accuracy", "1.0")[1]),
            ["test"],
            ": test.accuracy is 1.0; allowed is 0.5, 1 of 2 by confusion",
        ),
        (
            (cells(CORRECT, "NULL")[1], scores("accuracy", "1.0")[1]),
            ["test"],
            " has predictions and labels, and no right answers",
        ),
    ],
)
def test_answers_of_another_cell_are_not_shown(changed, forged, columns, says):
    with Store.read(changed(*forged)) as store, pytest.raises(StoreError) as error:
        store.records(None, ["status", *columns], own=True)
    assert says in str(error.value)


def test_a_sound_store_is_shown_whole(changed):
    for forged in ((), OTHERS, (*OTHERS, cells("gold", "NULL")[1])):
        with Store.read(changed(*forged)) as store:
            found = store.records(None, [*COLUMNS, "test.ece", "test.accuracy"], own=True)
        assert {each["test.accuracy"] for each in found.values()} == {0.5}
        assert CORRECT not in found[SPECS[0]]


@pytest.mark.parametrize("name", ["accuracy", r"acc\u0075racy"])
def test_a_name_that_is_given_twice_is_damage(changed, tmp_path, name):
    forged = f'{{"accuracy":0.99,"{name}":0.5,"loss":1.0}}'
    path = changed(f"UPDATE cells SET test = '{forged}'")
    why = "a name given twice is 'accuracy'"
    assert any(found.severe and why in found.message for found in examine(path))
    with Store.read(path) as store, Store.open(tmp_path / "other.sqlite") as other:
        with pytest.raises(StoreError, match=why):
            merge(store, other)
        with pytest.raises(StoreError, match=why):
            export(store, tmp_path / "copy.sqlite")
        with pytest.raises(StoreError, match=f"damaged test: {why}"):
            store.records(None, ["test.accuracy", CORRECT, "gold"])
        assert other.records() == {}
