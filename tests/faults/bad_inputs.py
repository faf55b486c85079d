"""User errors: each prints one line, exits with status 2, and changes no byte of the store."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from os import mkfifo
from pathlib import Path

FILE = "fake.py"


@dataclass(frozen=True)
class Bad:
    """A command line that is wrong, or stands on something that is.

    Attributes:
      name: what is wrong.
      arguments: the command line.
      says: what the line must contain.
      before: makes the files that are wrong, in the folder of the command.
    """

    name: str
    arguments: tuple[str, ...]
    says: str
    before: Callable[[Path], None] | None = None


def _run(*more: str) -> tuple[str, ...]:
    return ("run", FILE, "--in-process", *more)


def _data(name: str, content: str | bytes) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        raw = content if isinstance(content, bytes) else content.encode("utf-8")
        (folder / name).write_bytes(raw)

    return make


def _file(old: str, new: str) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        text = (folder / FILE).read_text("utf-8")
        assert old in text
        (folder / FILE).write_text(text.replace(old, new), "utf-8")

    return make


def _rows(name: str, content: str | bytes, what: str, says: str) -> Bad:
    return Bad(what, _run("--dataset", name), says, _data(name, content))


def _changed(old: str, new: str, what: str, says: str) -> Bad:
    return Bad(what, _run(), says, _file(old, new))


GOOD = "text,label\n" + "a,x\nb,y\n" * 20

COMMANDS = (
    Bad("no such command", ("rnu", FILE), "Did you mean"),
    Bad("no such option", _run("--seed", "3"), "No such option"),
    Bad("no such file", ("run", "fak.py"), "no experiment file 'fak.py'. Did you mean 'fake.py'?"),
    Bad("a folder as file", ("run", "."), "no experiment file"),
    Bad("not a Python file", ("run", "reviews.csv"), "must end in .py"),
    Bad("seeds of none", _run("--seeds", "0"), "seeds"),
    Bad("more seeds than can be planned", _run("--seeds", "100000000"), "give at most 1,000,000"),
    Bad("steps beyond int32", _run("--steps", str(10**30)), "steps is 1000"),
    Bad(
        "more sentences than can be ordered",
        _run("--steps", "100000000", "--set", "model=encoder"),
        "100,000,000 steps of 32 sentences",
    ),
    Bad("a number beyond float32", _run("--set", "learning_rate=1e39"), "float32"),
    Bad("a number that float32 takes for zero", _run("--set", "weight_decay=1e-50"), "float32"),
    Bad("seeds in words", _run("--seeds", "three"), "not a valid integer"),
    Bad("steps of none", _run("--steps", "0"), "steps is 0"),
    Bad("negative steps", _run("--steps", "-5"), "steps is -5"),
    Bad("workers of none", ("run", FILE, "--workers", "0"), "workers"),
    Bad("an unknown axis", _run("--only", "haeds=1"), "Did you mean 'heads'?"),
    Bad("a value that is not on the axis", _run("--only", "heads=3"), "heads"),
    Bad("a condition without a value", _run("--only", "heads"), "heads"),
    Bad("a path that is no axis", _run("--only", "width=64"), "width"),
    Bad("an unknown setting", _run("--set", "widht=64"), "Did you mean 'width'?"),
    Bad("a number in words", _run("--set", "width=wide"), "width"),
    Bad(
        "a width that does not split", _run("--set", "width=62", "--set", "model=encoder"), "split"
    ),
    Bad("a number that is too large", _run("--set", "dropout=2"), "dropout is 2"),
    Bad("a number that is none", _run("--set", "learning_rate=nan"), "learning_rate"),
    Bad("an infinite number", _run("--set", "learning_rate=inf"), "learning_rate"),
    Bad("an unknown part", _run("--set", "attention.score=dto"), "Did you mean 'dot'?"),
    Bad("an unknown normalizer", _run("--set", "attention.normalizer=sofmax"), "softmax"),
    Bad("a part with a wrong setting", _run("--set", "attention.normalizer=topk(0)"), "topk"),
    Bad("a part half written", _run("--set", "attention.normalizer=topk("), "topk"),
    Bad("an unknown model", _run("--set", "model=encodr"), "Did you mean 'encoder'?"),
    Bad("an unknown tokenizer", _run("--set", "tokens=wordz"), "tokens"),
    Bad("an unknown format", ("table", FILE, "--format", "markdwon"), "Did you mean 'markdown'?"),
    Bad("an output in what is no folder", ("table", FILE, "--out", f"{FILE}/t.md"), "is no folder"),
    Bad("an output that is a folder", ("table", FILE, "--out", "."), "directory"),
    Bad("neither file nor name", ("table",), "give either"),
    Bad("both file and name", ("table", FILE, "--name", "fake"), "give either"),
    Bad("an unknown name", ("table", "--name", "fkae"), "fkae"),
    Bad("a store that is a folder", ("status", "--store", "."), "folder"),
    Bad("an unknown slot", ("parts", "normaliser"), "Did you mean 'normalizer'?"),
    Bad("an unknown dataset to show", ("datasets", "trec"), "Did you mean"),
    Bad("both ways to train", ("run", FILE, "--in-process", "--workers", "2"), "leave out"),
)
DATASETS = (
    Bad("an unknown dataset", _run("--dataset", "sst22"), "Did you mean 'sst2'?"),
    Bad("a missing file", _run("--dataset", "no.csv"), "no.csv"),
    Bad("a path that climbs out", _run("--dataset", "../../etc/passwd"), "passwd"),
    Bad("a name with a NUL", _run("--dataset", "a\0b"), "a"),
    Bad("a name of 300 letters", _run("--dataset", "x" * 300), "unknown dataset"),
    Bad("a terminal escape as name", _run("--dataset", "\x1b[31mred"), "without control"),
    _rows("d.csv", "", "an empty file", "d.csv is empty"),
    _rows("d.csv", "text,label\n", "a header alone", "d.csv has a header but no rows"),
    _rows("d.csv", "text,label\na,x\n", "one row", "label"),
    _rows("d.csv", "text,label\n" + "a,x\n" * 20, "one class", "two classes or more"),
    _rows("d.csv", "text,label\n" + ",x\n ,y\n" * 20, "only empty texts", "is empty"),
    _rows("d.csv", "txt,label\na,x\nb,y\n", "another text column", "Did you mean to rename 'txt'?"),
    _rows(
        "d.csv", "text,lable\na,x\nb,y\n", "another label column", "Did you mean to rename 'lable'?"
    ),
    _rows("d.csv", "text,label\na,x\nb,y,z\n", "too many fields", "row 2: 3 fields"),
    _rows("d.csv", b"text,label\na,x\nb\xff,y\n", "bytes that are no UTF-8", "line 3"),
    _rows("d.csv", GOOD + "c,\n", "a missing label", "no label (null)"),
    _rows("d.csv", GOOD + "c,-1\n", "a hidden label", "label -1"),
    _rows("d.csv", "text,label\na\0,x\nb,y\n", "a NUL in a text", "NUL"),
    _rows("d.jsonl", '{"text": "a", "label": 1\n', "broken JSON", "cannot read d.jsonl"),
    _rows("d.jsonl", '{"text": "a\\ud800", "label": 1}\n', "a lone surrogate", "d.jsonl"),
    _rows("d.jsonl", '{"text": null, "label": 1}\n{"text": "b", "label": 0}\n', "a null", "row 1"),
    _rows("d.jsonl", '{"text": 7, "label": 1}\n{"text": 8, "label": 0}\n', "numbers", "string"),
    _rows("d.parquet", b"PAR1 no parquet", "junk as parquet", "cannot read d.parquet"),
    _rows("d.txt", "a x\n", "a file of another kind", "d.txt"),
    _rows("d.csv", GOOD + '"c,x\nd,y\n"e,x\n', "a stray quote", "d.csv, line 42: a quoted field"),
    _rows("d.csv", "text,text_pair,label\n" + "a,b,x\nc,d,y\n" * 20, "pairs", "'text_pair'"),
    _rows("d.csv", GOOD.encode("utf-16-le"), "UTF-16", "looks like UTF-16"),
    _rows("d.jsonl", '{"text": "a", "x": ' + "[" * 9999, "deep JSON", "nested more than 200 deep"),
    _rows("d.jsonl", '{"text": "a", "label": 1, "label": 2}', "a key twice", "'label' twice"),
    _rows("d\udcff.csv", GOOD, "a name that is not UTF-8", "without control characters"),
    Bad("a named pipe", _run("--dataset", "d.csv"), "a named pipe", lambda f: mkfifo(f / "d.csv")),
    Bad("a device", _run("--dataset", "/dev/zero"), "a device"),
    _rows("d.csv", "text,label\na,x\nb,x\nc,y\n", "too few of a class", "leave nothing for"),
)
EXPERIMENTS = (
    _changed("experiment = Experiment(", "other = Experiment(", "no experiment", "experiment"),
    _changed('vary("heads", 1, 2, 4)', 'vary("haeds", 1, 2, 4)', "an unknown axis", "'heads'?"),
    _changed('vary("heads", 1, 2, 4)', 'vary("heads", 1, 1)', "a value twice", "heads"),
    _changed('vary("heads", 1, 2, 4)', 'vary("heads")', "an axis without values", "heads"),
    _changed('{"heads": 2}', '{"heads": 3}', "a row without cells", "row 'two'"),
    _changed('Row("two"', 'Row("one"', "two rows of one name", "two rows 'one'"),
    _changed('"Heads",\n', '"Heads", value="test.acuracy", rows=\n', "a value", "accuracy"),
    _changed("reference=True", "basline=True", "a misspelt word", "basline"),
    _changed(
        "from attn_nlp.parts.registry import", "from attn_nlp.registri import", "an import", "regis"
    ),
    _changed('@model("fake"', '@model("Fäke!"', "a malformed name", "malformed"),
    _changed('@model("fake"', '@model("cnn"', "a name that is taken", "is taken"),
    _changed("def fake(cell, prepared, report)", "def fake(sell)", "an argument", "sell"),
    _changed("experiment = Experiment(", "experiment = Experiment((", "a syntax error", "line"),
    _changed('vary("heads", 1, 2, 4)', '"heads"', "a path as axis", "vary('heads', 1, 4)"),
    _changed("    ],\n)", "    ][0],\n)", "a table without brackets", "tables=[Table(...)]"),
    _changed('"Heads",\n', "None,\n", "a table without a title", "title is None"),
    _changed(
        '"Heads",\n', '"Heads", margin="0.01", rows=\n', "a text as margin", "margin is '0.01'"
    ),
    _changed(
        '"Heads",\n', '"Heads", margin=float("inf"), rows=\n', "an endless margin", "margin is inf"
    ),
    _changed('"Heads",\n', '"Heads", where={"heads"}, rows=\n', "a set as conditions", "where is"),
    _changed("Cell(model", "dict(model", "settings that are no cell", "base=Cell("),
    _changed(
        "0, 1, 2)]", "[0, 1, 2])]", "a list as a value", "did you mean vary('seed', 0, 1, 2)?"
    ),
)
BAD = (*COMMANDS, *DATASETS, *EXPERIMENTS)
