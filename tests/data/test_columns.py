"""Two columns are read; a second text is rejected, and every other column is said."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as arrow
import pyarrow.parquet as parquet
import pytest

from attn_nlp.data import DataSettings, prepare_dataset
from attn_nlp.data.columns import Wanted
from attn_nlp.data.hub import read_hub_split
from attn_nlp.data.loading import from_hub, from_table, load
from attn_nlp.data.names import MOST
from attn_nlp.data.source import Source
from attn_nlp.errors import UserError

ROWS = [
    {"text": f"tea {n} is {'nice' if n % 2 else 'bad'}", "label": "pn"[n % 2]} for n in range(40)
]


def write(file: Path, rows: list[dict]) -> str:
    """The rows as the file's ending says."""
    file.parent.mkdir(exist_ok=True)
    columns = list(dict.fromkeys(key for row in rows for key in row))
    if file.suffix == ".parquet":
        parquet.write_table(arrow.table({c: [row.get(c) for row in rows] for c in columns}), file)
    elif file.suffix == ".csv":
        lines = [",".join(columns), *(",".join(str(row[c]) for c in columns) for row in rows)]
        file.write_text("\n".join(lines))
    else:
        file.write_text("\n".join(map(json.dumps, rows)))
    return str(file)


def more(**columns) -> list[dict]:
    """The rows with further columns in front."""
    return [{name: make(n) for name, make in columns.items()} | row for n, row in enumerate(ROWS)]


KINDS = pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])


@KINDS
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("text_pair", lambda n: "x"),
        ("Text", lambda n: f"doc {n}"),
        ("text2", lambda n: "x"),
        ("Text B", lambda n: "x"),
        ("sentence", lambda n: f"doc {n % 2}"),
        ("sentence_2", lambda n: "x"),
        ("sentence_pair", lambda n: "x"),
        ("hypothesis", lambda n: "x"),
        ("premise", lambda n: "x"),
        ("question1", lambda n: "x"),
        ("context", lambda n: "x"),
        ("body", lambda n: f"a letter of many words number {n}"),
        ("beschreibung", lambda n: "我喜欢这个" + chr(0x4E00 + n)),
    ],
)
def test_a_second_text_is_rejected_by_name(tmp_path, kind, name, value):
    path = write(tmp_path / f"d.{kind}", more(**{name: value}))
    with pytest.raises(
        UserError, match=rf"d\.{kind}: column '{name}' looks like a second text, and"
    ):
        load(path, tmp_path)


@KINDS
@pytest.mark.parametrize(
    ("name", "first", "then"),
    [("sentence2", "", "x"), ("question", "17", "why"), ("body", "", "of many words number {}")],
)
def test_a_second_text_may_begin_late(tmp_path, kind, name, first, then):
    rows = [row | {name: (first if n < 300 else then.format(n))} for n, row in enumerate(ROWS * 9)]
    with pytest.raises(UserError, match=f"column '{name}' looks like a second text"):
        load(write(tmp_path / f"d.{kind}", rows), tmp_path)


SENTENCES = [f"the other text of number {n}" for n in range(40)]


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("body", arrow.array(SENTENCES, arrow.string_view())),
        ("body", arrow.array(SENTENCES, arrow.large_string()).dictionary_encode()),
        ("body", arrow.array(SENTENCES, arrow.large_binary())),
        ("body", arrow.array([[each, f"{each} {n}"] for n, each in enumerate(SENTENCES)])),
        ("body", arrow.array([{"en": each} for each in SENTENCES])),
        ("text_b", arrow.array([each.split() for each in SENTENCES])),
        ("text_b", arrow.array([{"words": [{"word": "x"}]}] * 40)),
        ("text_b", arrow.array([each.encode("utf-16") for each in SENTENCES])),
    ],
)
def test_a_second_text_of_parquet_has_any_type_that_holds_strings(tmp_path, name, values):
    table = arrow.table({**{key: [row[key] for row in ROWS] for key in ROWS[0]}, name: values})
    parquet.write_table(table, tmp_path / "d.parquet")
    with pytest.raises(UserError, match=f"column '{name}' looks like a second text"):
        load(str(tmp_path / "d.parquet"), tmp_path)


def test_other_types_of_parquet_are_read_past(tmp_path):
    """Words of the text, an image, numbers by name: no second text is among them."""
    others = {
        "tokens": [row["text"].split() for row in ROWS],
        "image": [{"bytes": bytes([137, 255, n]) * 999, "path": f"{n}.png"} for n in range(40)],
        "embedding": [[0.5, 0.25]] * 40,
        "context": [{"start": 1}] * 40,
        "question": [["1", "2"]] * 40,
        "a.b": ["x"] * 40,
        "when": arrow.array([None] * 40),
    }
    table = arrow.table({**{key: [row[key] for row in ROWS] for key in ROWS[0]}, **others})
    parquet.write_table(table, tmp_path / "d.parquet")
    assert load(str(tmp_path / "d.parquet"), tmp_path).ignored == tuple(others)


@KINDS
def test_other_columns_are_read_past_and_said(tmp_path, kind):
    others = {
        "id": lambda n: f"row-{n}",
        "source": lambda n: "The New York Times Company",
        "date": lambda n: f"Mon Apr 06 22:{n:02}:45 PDT 2009",
        "text_id": lambda n: n,
        "question": lambda n: str(n),
        "score": lambda n: 0.5,
    }
    raw = load(write(tmp_path / f"d.{kind}", more(**others)), tmp_path)
    assert raw.columns["train"] == ([r["text"] for r in ROWS], [r["label"] for r in ROWS])
    assert raw.ignored == tuple(others)


def test_a_thousand_other_columns_are_counted(tmp_path):
    path = write(tmp_path / "d.csv", more(**{f"c{n}": lambda _: 1 for n in range(1000)}))
    ignored = load(path, tmp_path).ignored
    assert ignored[:2] == ("c0", "c1")
    assert ignored[MOST:] == (f"and {1000 - MOST} more",)


def test_ignored_columns_are_among_the_facts_where_there_are_any(tmp_path):
    with_id = prepare_dataset(
        DataSettings(write(tmp_path / "d.jsonl", more(id=int))), tmp_path / "kept"
    )
    without = prepare_dataset(DataSettings(write(tmp_path / "e.jsonl", ROWS)), tmp_path / "kept")
    assert with_id.facts["ignored_columns"] == ["id"]
    assert "ignored_columns" not in without.facts
    assert with_id.fingerprint == without.fingerprint


@KINDS
def test_splits_need_to_agree_in_two_columns_only(tmp_path, kind):
    write(tmp_path / "f" / f"train.{kind}", more(meta=int))
    write(tmp_path / "f" / f"validation.{kind}", [dict(reversed(row.items())) for row in ROWS])
    write(tmp_path / "f" / f"test.{kind}", more(id=str, meta=str))
    raw = load(str(tmp_path / "f"), tmp_path)
    both = ([r["text"] for r in ROWS], [r["label"] for r in ROWS])
    assert raw.columns == {"train": both, "validation": both, "test": both}
    assert raw.ignored == ("meta", "id")


@KINDS
@pytest.mark.parametrize(
    ("rename", "said"),
    [
        ({"label": "target"}, "no label column named 'label'; columns: text, target"),
        ({"label": "Label"}, "no label column .* Did you mean to rename 'Label'"),
        ({"text": "review"}, "no text column named 'text' or 'sentence'; columns: review, label"),
        ({"label": "stars"}, "no label .*stars. Rename the label column to 'label'"),
        (
            {"text": "review", "label": "stars"},
            "no text column named 'text' or 'sentence' and no label column named 'label'; columns: "
            "review, stars. Rename the text column to 'text' and the label column to 'label'",
        ),
    ],
)
def test_the_file_that_lacks_a_column_is_named(tmp_path, kind, rename, said):
    write(tmp_path / "f" / f"train.{kind}", ROWS)
    other = [{rename.get(key, key): value for key, value in row.items()} for row in ROWS]
    write(tmp_path / "f" / f"test.{kind}", other)
    with pytest.raises(UserError, match=rf"^test\.{kind}: {said}"):
        load(str(tmp_path / "f"), tmp_path)


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ([True, 1, 0, False], "mix true or false and numbers: train row 1 has True, train row 2 "),
        ([1, "1", "0"], "mix numbers and strings: train row 1 has 1, train row 2 has '1'"),
        (["yes", True], "mix strings and true or false"),
        ([1.0, "1"], "mix numbers and strings"),
        ([None, 2, "x"], "mix numbers and strings: train row 2 has 2, train row 3 has 'x'"),
    ],
)
def test_labels_of_several_types_are_rejected(tmp_path, labels, said):
    rows = [{"text": f"t {n}", "label": labels[n % len(labels)]} for n in range(12)]
    with pytest.raises(UserError, match=said):
        load(write(tmp_path / "d.jsonl", rows), tmp_path)


def test_labels_of_one_type_stay_and_splits_may_not_differ(tmp_path):
    for values in ([1, 1.0, 2, None], [True, False], ["1", "2", ""]):
        rows = [{"text": "t", "label": value} for value in values]
        assert load(write(tmp_path / "d.jsonl", rows), tmp_path).columns["train"][1] == values
    write(tmp_path / "f" / "train.jsonl", [{"text": "t", "label": n} for n in (0, 1)])
    write(tmp_path / "f" / "test.jsonl", [{"text": "t", "label": "1"}])
    with pytest.raises(UserError, match="train row 1 has 0, test row 1 has '1'"):
        load(str(tmp_path / "f"), tmp_path)


def test_declared_classes_may_come_by_name_and_by_number(tmp_path, monkeypatch):
    rows = [{"text": "t", "label": value} for value in (0, "positive", 1)]
    write(tmp_path / "sst2" / "train.jsonl", rows)
    monkeypatch.setenv("ATTN_NLP_DATA", str(tmp_path))
    assert load("sst2", tmp_path).columns["train"][1] == [0, "positive", 1]


def test_parquet_without_rows_and_with_a_column_twice(tmp_path):
    empty = arrow.table({"text": arrow.array([], arrow.string()), "label": arrow.array([], "int8")})
    with parquet.ParquetWriter(tmp_path / "d.parquet", empty.schema) as file:
        file.write_table(empty)
    with pytest.raises(UserError, match="the train split has no rows"):
        prepare_dataset(DataSettings(str(tmp_path / "d.parquet")), tmp_path / "kept")
    twice = arrow.table([["a"], ["b"], ["c"]], names=["text", "label", "label"])
    parquet.write_table(twice, tmp_path / "d.parquet")
    with pytest.raises(UserError, match=r"d\.parquet: 2 columns are named 'label'"):
        load(str(tmp_path / "d.parquet"), tmp_path)

    twice = arrow.table([["a"], ["b"], ["c"], ["c"]], names=["text", "label", "x", "x"])
    parquet.write_table(twice, tmp_path / "d.parquet")
    with pytest.raises(UserError, match=r"d\.parquet: 2 columns are named 'x'"):
        load(str(tmp_path / "d.parquet"), tmp_path)


@pytest.mark.parametrize("two", [("also {}", "1"), ("1", "also {}")])
def test_both_columns_of_one_name_are_looked_at(tmp_path, two):
    lines = [f"{row['text']},{row['label']},{','.join(two)}".format(row["text"]) for row in ROWS]
    (tmp_path / "d.csv").write_text("\n".join(["text,label,x,x", *lines]))
    with pytest.raises(UserError, match="looks like a second text"):
        load(str(tmp_path / "d.csv"), tmp_path)


@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
def test_a_header_that_has_become_a_row_is_rejected(tmp_path, kind):
    path = write(tmp_path / f"d.{kind}", [*ROWS, {"text": "\ufeffText", "label": " label"}])
    with pytest.raises(UserError, match=rf"^d\.{kind}, row 41 repeats the column names"):
        load(path, tmp_path)


def test_numbers_without_names_need_one_declared_order(tmp_path):
    shard = tmp_path
    for at, names in enumerate((["neg", "pos"], ["pos", "neg"], None)):
        table = arrow.table({"text": ["a", "b"], "label": [0, 1]})
        label = {"_type": "ClassLabel", "names": names}
        said = json.dumps({"info": {"features": {"label": label}}})
        given = {"huggingface": said} if names else None
        shard = tmp_path / f"train-{at:05}-of-00003.parquet"
        parquet.write_table(table.replace_schema_metadata(given), shard)
    with pytest.raises(UserError, match="declare their classes as neg, pos and as pos, neg, and"):
        load(str(tmp_path), tmp_path)
    parquet.write_table(arrow.table({"text": ["a", "b"], "label": ["neg", "pos"]}), shard)
    assert load(str(tmp_path), tmp_path).columns["train"][1] == [
        "neg",
        "pos",
        "pos",
        "neg",
        "neg",
        "pos",
    ]


def test_texts_of_every_arrow_type_are_read_as_strings(tmp_path):
    words = ["tea", "rain", "tea"]
    text = arrow.array(words).dictionary_encode()
    table = arrow.table({"text": text, "label": arrow.array(words, arrow.large_string())})
    parquet.write_table(table, tmp_path / "d.parquet")
    assert load(str(tmp_path / "d.parquet"), tmp_path).columns["train"] == (words, words)


def test_a_split_of_the_hub_is_treated_the_same():
    datasets = pytest.importorskip("datasets")
    names = datasets.ClassLabel(names=["neg", "pos"])
    rows = {"text": ["a", "b", "c"], "label": [1, 0, -1], "id": [1, 2, 3], "note": ["x", "y", "z"]}
    split = datasets.Dataset.from_dict(rows).cast_column("label", names)
    read = read_hub_split("owner/name, split train", split, Wanted(("text",), "label"))
    assert (read.texts, read.labels) == (["a", "b", "c"], ["pos", "neg", -1])
    assert read.class_names == ("neg", "pos")
    assert read.ignored == {"id": [], "note": ["x", "y", "z"]}
    assert from_table({"train": [read]}, "Hub", ()).ignored == ("id", "note")


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (["train", "eval"], "which of eval to use is not known"),
        (["train", "test_matched", "test"], "which of test_matched"),
        (["train", "dev", "validation"], "which of validation, dev"),
        (["test"], "no train split; found: test"),
    ],
)
def test_splits_of_the_hub_that_could_be_ours_are_named(monkeypatch, found, said):
    split = dict.fromkeys(found)
    monkeypatch.setattr("attn_nlp.data.loading.load_from_hub", lambda *_: (split, "Hub"))
    with pytest.raises(UserError, match=said):
        from_hub(Source("owner/name", "", "", hub_id="owner/name"))
