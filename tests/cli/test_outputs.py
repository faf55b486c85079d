"""--out never replaces a store, an input or a file of another kind, in any command."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import re
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.runner.fakes import Here, trained, write_experiment

STORE = "runs/attn_nlp.sqlite"
OTHER = "exists, is not recognized as an unedited output of this version of attn-nlp"


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def finished(tmp_path_factory, cache):
    """A folder with results, other files and links to them."""
    from _pytest.monkeypatch import MonkeyPatch

    from attn_nlp import cli
    from attn_nlp.parts import registry

    folder = tmp_path_factory.mktemp("finished")
    write_experiment(folder)
    registry.load_builtin()
    before = dict(registry._parts)
    with MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("ATTN_NLP_CACHE", str(cache))
        assert cli.main(["run", "fake.py", "--in-process", "--out", "t.csv"]) == 0
    registry._parts.clear()
    registry._parts.update(before)
    (folder / "log.txt").unlink()
    (folder / "runs/attn_nlp.sqlite.version2").write_bytes(b"an older one")
    (folder / "helper.py").write_text("A = 1\n")
    (folder / "set").mkdir()
    (folder / "reviews.csv").rename(folder / "set/train.csv")
    os.symlink("set/train.csv", folder / "reviews.csv")
    with closing(sqlite3.connect(folder / "other.sqlite")) as db, db:
        db.execute("CREATE TABLE t (x)")
    db.close()
    shutil.copy(folder / "other.sqlite", folder / "other.md")
    (folder / "data.csv").write_text("text,label\na,b\n")
    (folder / "data.json").write_text('[{"text": "a"}]')
    (folder / "paper.tex").write_text("\\documentclass{article}\n")
    (folder / "picture.md").write_bytes(b"\x89PNG\r\n\x1a\n\0")
    (folder / "latin.txt").write_bytes("é".encode("latin-1"))
    (folder / "archive.html").write_bytes(b"PK\x03\x04\0\0")
    (folder / "report.html").write_text("<!doctype html>\n<title>Mine</title>\n")
    (folder / "README.md").write_text("# Mine\n\n| a | b |\n| :-- | --: |\n| 1 | 2 |\n")
    (folder / "notes.txt").write_text("Mine\nof today\n\n- one\n")
    (folder / "own.tex").write_text("% Mine\n\\begin{table}\\end{table}\n")
    (folder / "figures").mkdir()
    (folder / "figures/fake-forest.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    (folder / "figures/plate.png").write_bytes(b"\x89PNG\r\n\x1a\n mine")
    (folder / "fake-forest.svg").write_text("notes")
    os.symlink(STORE, folder / "store.md")
    os.symlink("helper.py", folder / "helper.md")
    os.symlink("set/train.csv", folder / "link.csv")
    return folder


@pytest.fixture
def here(finished, tmp_path, cache, catalogue, monkeypatch, capsys):
    folder = tmp_path / "copy"
    shutil.copytree(finished, folder, symlinks=True)
    return folder, Here(folder, cache, monkeypatch, capsys)


def state(folder):
    """Every file and folder with what it holds; SQLite's side files come and go."""
    return {
        str(each.relative_to(folder)): (
            os.readlink(each)
            if each.is_symlink()
            else each.is_file() and hashlib.sha256(each.read_bytes()).hexdigest()
        )
        for each in folder.rglob("*")
        if not each.name.endswith(("-wal", "-shm"))
    }


NAMED = {
    STORE: "belongs to the store",
    f"./{STORE}": "belongs to the store",
    f"{STORE}-wal": "belongs to the store",
    f"{STORE}-shm": "belongs to the store",
    f"{STORE}-journal": "belongs to the store",
    f"{STORE}.version2": "belongs to the store",
    f"{STORE}.version1": "belongs to the store",
    f"{STORE}.checkpoints/new": "belongs to the store",
    "store.md": "belongs to the store",
    "fake.py": "is Python code",
    "helper.py": "is Python code",
    "helper.md": "is Python code",
    "reviews.csv": "is dataset 'reviews.csv'",
    "link.csv": "is dataset 'reviews.csv'",
    "set/train.csv": "is dataset 'reviews.csv'",
    "other.sqlite": "is an SQLite database",
    "other.md": "is an SQLite database",
    "picture.md": OTHER,
    "latin.txt": OTHER,
    "archive.html": OTHER,
    "README.md": OTHER,
    "notes.txt": OTHER,
    "own.tex": OTHER,
    "other.sqlite-wal": "ends in '-wal', like the files next to a store",
    "any.sqlite-shm": "ends in '-shm'",
    "any.sqlite-journal": "ends in '-journal'",
    "new/other.sqlite.version12": "ends in '.version12'",
    "other.sqlite.checkpoints/a/b.md": "is in 'other.sqlite.checkpoints', next to a store",
}


def rejected(found, out, says):
    lines = found.stderr.splitlines()
    assert (found.returncode, len(lines), found.stdout) == (2, 1, ""), found.stderr
    assert re.match(
        rf"attn-nlp: (--out ({re.escape(str(Path(out)))}|'{out}')|store {out})", lines[0]
    )
    assert says in lines[0]


@pytest.mark.parametrize("out", NAMED)
def test_a_table_replaces_nothing_else(here, out):
    """With --format, the ending is the user's own choice."""
    folder, call = here
    before = state(folder)
    rejected(call("table", "fake.py", "--format", ending(out), "--out", out), out, NAMED[out])
    rejected(
        call("table", "--name", "fake", "--format", ending(out), "--out", out), out, NAMED[out]
    )
    assert state(folder) == before


def ending(out):
    """A format that does not contradict the ending."""
    return {".csv": "csv", ".txt": "terminal", ".html": "html", ".tex": "latex"}.get(
        Path(out).suffix, "markdown"
    )


def test_another_name_of_the_store_is_the_store_too(here):
    """A file of two names is read with a warning, and not written at all."""
    folder, call = here
    os.link(folder / STORE, folder / "hard.md")
    before = state(folder)
    table = call("table", "fake.py", "--format", "markdown", "--out", "hard.md")
    warning, rejection = table.stderr.splitlines()
    assert table.returncode == 2
    assert f"store {STORE} has another name (hard link)" in warning
    assert "--out hard.md belongs to the store" in rejection
    rejected(call("run", "fake.py", "--in-process", "--out", "hard.md"), "hard.md", "to the store")
    run = call("run", "fake.py", "--seeds", "4", "--in-process", "--store", "hard.md")
    assert (run.returncode, len(run.stderr.splitlines())) == (4, 1)
    assert "store hard.md has another name (hard link)" in run.stderr
    assert trained(folder) == []
    assert state(folder) == before


@pytest.mark.parametrize("out", ["read.csv", "declared.csv", "named.csv"])
def test_what_the_experiment_file_reads_is_an_input(here, out):
    """Such as the table of an earlier stage, which may be replaced by any other experiment."""
    folder, call = here
    text = (folder / "fake.py").read_text()
    own = (
        "import click\n\nNAMED = 'named.csv'\n"  # a library that might read it in C
        "(Path(__file__).parent / 'read.csv').read_text()\n\n@model('fake', files=['declared.csv'],"
    )
    for name in ("read.csv", "declared.csv", "named.csv"):
        table = call("table", "fake.py", "--out", name)
        assert table.returncode == 0, table.stderr
    (folder / "fake.py").write_text(
        text.replace("@model('fake',", own).replace('@model("fake",', own)
    )
    before = state(folder)
    rejected(call("table", "fake.py", "--out", out), out, "is read by the experiment file")
    assert state(folder) == before


@pytest.mark.parametrize("out", ["store.md", "fake.py", "reviews.csv", "link.csv", "other.md"])
def test_a_run_is_rejected_before_anything_is_trained(here, out):
    folder, call = here
    before = state(folder)
    options = ("--seeds", "4", "--in-process", "--format", ending(out))
    rejected(call("run", "fake.py", *options, "--out", out), out, NAMED[out])
    assert trained(folder) == []
    assert state(folder) == before


@pytest.mark.parametrize(
    ("dataset", "out", "says"),
    [
        ("set", "set/train.csv", "is in the folder of dataset 'set'"),
        ("set", "set/new.csv", "is in the folder of dataset 'set'"),
        ("set", "t.csv", "is a file of dataset 'set'"),
        ("data.csv", "data.csv", "is dataset 'data.csv'"),
    ],
)
@pytest.mark.parametrize("option", ["--dataset", "--set"])
def test_data_from_the_command_line_is_an_input_too(here, option, dataset, out, says):
    folder, call = here
    if out == "t.csv":  # the same file under a name outside
        (folder / "t.csv").unlink()
        (folder / "set/train.csv").rename(folder / "t.csv")
        (folder / "set/train.csv").symlink_to("../t.csv")
    before = state(folder)
    value = dataset if option == "--dataset" else f"dataset={dataset}"
    rejected(call("run", "fake.py", option, value, "--in-process", "--out", out), out, says)
    assert state(folder) == before


def test_no_store_is_made_among_the_data(here):
    """It would be taken for data, and every later run rejected."""
    folder, call = here
    assert call("run", "fake.py", "--dataset", "set", "--in-process").returncode == 0
    before = sorted((folder / "set").iterdir())
    run = ("run", "fake.py", "--dataset", "set", "--in-process", "--store")
    says = "set/x.sqlite is in the folder of dataset 'set'"
    for arguments in (
        (*run, "set/x.sqlite"),
        ("merge", STORE, "--store", "set/x.sqlite"),
        ("export", "--out", "set/x.sqlite"),
        ("export", "fake.py", "--dataset", "set", "--out", "set/x.sqlite"),
    ):
        found = call(*arguments)
        assert (found.returncode, says in found.stderr) == (2, True), found
        assert len(found.stderr.splitlines()) == 1
    assert sorted((folder / "set").iterdir()) == before


def test_a_folder_of_data_named_by_a_variable_is_an_input(here, monkeypatch):
    folder, call = here
    (folder / "all/mr").mkdir(parents=True)
    monkeypatch.setenv("ATTN_NLP_DATA", "all")
    found = call("table", "fake.py", "--dataset", "mr", "--out", "all/mr/t.md")
    rejected(found, "all/mr/t.md", "is in the folder of dataset 'mr'")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["table", "fake.py", "--out", "new/"], "'new/' names no file; end it in the name of one."),
        (["run", "fake.py", "--out", "t.md/."], "names no file"),
        (["report", "fake.py", "--out", ""], "names no file"),
        (["table", "fake.py", "--out", "x.docx"], "its ending '.docx' names no format; end it in"),
        (["table", "fake.py", "--out", "x.pdf"], ".csv, .html, .json, .md, .tex, .txt, or give"),
        (["table", "fake.py", "--out", "x" * 300], "it has no ending"),
        (["run", "fake.py", "--out", "x"], "it has no ending, which names no format"),
        (["report", "fake.py", "--out", "x.pdf"], "names no format; end it in .html."),
        (["table", "fake.py", "--out", STORE], "belongs to the store"),
        (["report", "fake.py", "--out", STORE], "belongs to the store"),
        (["run", "fake.py", "--out", "fake.py"], "is Python code"),
        (["report", "fake.py", "--out", "archive.html"], OTHER),
        (["run", "fake.py", "--in-process", "--out", "README.md"], OTHER),
        (["table", "fake.py", "--out", "data.csv"], OTHER),
        (["table", "fake.py", "--out", "data.json"], OTHER),
        (["table", "fake.py", "--out", "paper.tex"], OTHER),
        (["export", "--out", f"{STORE}-wal"], "belongs to the store"),
        (["export", "--out", f"{STORE}.version1"], "belongs to the store"),
        (["export", "--out", "other.sqlite-wal"], "ends in '-wal'"),
        (["export", "--out", "new/"], "store new/ names a folder; end it in the name of a file."),
    ],
)
def test_other_endings_and_unlike_files_are_rejected(here, arguments, says):
    folder, call = here
    before = state(folder)
    rejected(call(*arguments), arguments[-1], says)
    assert state(folder) == before


def test_two_names_of_a_format_must_agree(here):
    _, call = here
    found = call("table", "fake.py", "--format", "csv", "--out", "t.md")
    assert (found.returncode, found.stderr) == (
        2,
        "attn-nlp: --format csv and --out t.md name two formats; leave out --format, or end the "
        "name in .csv.\n",
    )
    assert call("table", "fake.py", "--format", "csv", "--out", "t.dat").returncode == 0
    assert call("table", "fake.py", "--out", "T.CSV").returncode == 0


def test_a_figure_replaces_its_like_only(here):
    folder, call = here
    before = (folder / "fake-forest.svg").read_text()
    arguments = ("figure", "results", "fake.py", "--kind", "forest", "--out", ".")
    found = call(*arguments)
    rejected(found, "fake-forest.svg", OTHER)
    assert (folder / "fake-forest.svg").read_text() == before
    assert not (folder / "fake-forest.png").exists()
    (folder / "fake-forest.svg").unlink()
    assert [call(*arguments).returncode for _ in range(2)] == [0, 0]


@pytest.mark.parametrize(
    ("arguments", "file"),
    [
        (["report", "fake.py"], "report.html"),
        (["figure", "results", "fake.py", "--kind", "forest"], "figures/fake-forest.svg"),
        (["figure", "plate"], "figures/plate.png"),
    ],
)
def test_a_name_that_nobody_gave_replaces_nothing_of_the_users(here, arguments, file):
    folder, call = here
    before = state(folder)
    rejected(call(*arguments), file, OTHER)
    assert state(folder) == before
    (folder / file).unlink()
    assert [call(*arguments).returncode for _ in range(2)] == [0, 0]


@pytest.mark.parametrize(
    "view", [[], ["--cost"], ["--per-class"], ["--tuning"], ["--to-reach", "0.5"]]
)
def test_a_table_of_ours_is_replaced_until_somebody_has_written_on(here, view):
    folder, call = here
    options = ("--budget", "2") if "--tuning" in view else ()
    for out in ("t.txt", "t.md", "t.tex", "t.html", "t.csv", "t.json"):
        line = ("table", "fake.py", *options, *view, "--out", out)
        assert [call(*line).returncode for _ in range(2)] == [0, 0], out
    for out in ("t.md", "t.tex"):  # those that are written in by hand
        with open(folder / out, "a", encoding="utf-8") as file:
            file.write("\nMy own words.\n")
        rejected(call("table", "fake.py", *options, *view, "--out", out), out, OTHER)


def test_every_command_makes_the_folder(here):
    folder, call = here
    commands = {
        "a/b/t.md": ("table", "fake.py"),
        "c/d/t.md": ("run", "fake.py"),
        "e/r.html": ("report", "fake.py"),
        "g/h/s.sqlite": ("export",),
    }
    for out, arguments in commands.items():
        assert call(*arguments, "--out", out).returncode == 0
        assert (folder / out).stat().st_size > 500


def test_devices_get_what_is_written(here, tmp_path):
    _, call = here
    assert call("table", "fake.py", "--out", "/dev/null").returncode == 0
    assert call("report", "fake.py", "--out", "/dev/null").returncode == 0
    found = call("table", "fake.py", "--out", "/dev/full", "--format", "csv")
    assert (found.returncode, found.stderr) == (
        4,
        "attn-nlp: /dev/full: No space left on device; everything stored before is intact.\n",
    )
    plain = call("table", "fake.py").stdout
    with open(tmp_path / "log", "w+", encoding="utf-8") as log:
        assert call("table", "fake.py", "--out", f"/dev/fd/{log.fileno()}").returncode == 0
    assert (tmp_path / "log").read_text("utf-8") == plain


LIKE_OURS = {
    "notes.txt": "Lab notes\nby me\n\nChapter 1\n─────────\nSix months of thoughts.\n",
    "mine.md": "### Mine\n\nby hand\n\n|  | dogs | cats |\n| :-- | --: | --: |\n| w | 12 | 4 |\n",
    "mine.json": '{"schema": "attn-nlp/tables/1", "tables": [], "thoughts": "of six months"}\n',
}


@pytest.mark.parametrize("name", LIKE_OURS)
def test_what_only_looks_like_an_output_is_kept(here, name):
    folder, call = here
    (folder / name).write_text(LIKE_OURS[name])
    rejected(call("table", "fake.py", "--out", name), name, OTHER)
    assert (folder / name).read_text() == LIKE_OURS[name]


@pytest.mark.parametrize("at", [-1, 1, 0.5], ids=["below", "above", "within"])
@pytest.mark.parametrize("ending_of", ["txt", "md", "tex", "html", "csv", "json"])
def test_what_somebody_wrote_in_an_output_is_kept(here, ending_of, at):
    folder, call = here
    name = f"new.{ending_of}"
    for _ in range(2):
        assert call("table", "fake.py", "--out", name).returncode == 0
    lines = (folder / name).read_text().splitlines(keepends=True)
    lines.insert(len(lines) if at == -1 else int(at * len(lines)) if at < 1 else at, "MINE\n")
    (folder / name).write_text("".join(lines))
    rejected(call("table", "fake.py", "--out", name), name, OTHER)
    assert (folder / name).read_text() == "".join(lines)


@pytest.mark.parametrize("name", ["t.csv", "t.json"])
def test_a_number_that_somebody_changed_is_kept(here, name):
    folder, call = here
    printed = call("table", "fake.py", "--format", name[2:]).stdout
    assert call("table", "fake.py", "--out", name).returncode == 0
    text = (folder / name).read_text()
    assert text != printed
    if name == "t.json":
        found = json.loads(text)
        assert found.pop("signature").startswith("Written by attn-nlp: ")
        assert found == json.loads(printed)
    else:
        assert list(csv.reader(text.splitlines())) == list(csv.reader(printed.splitlines()))
    edited = text.replace("0.5", "0.6", 1)
    assert edited != text
    (folder / name).write_text(edited)
    rejected(call("table", "fake.py", "--out", name), name, OTHER)
    assert (folder / name).read_text() == edited
    (folder / name).write_text(text)
    assert call("table", "fake.py", "--out", name).returncode == 0


def test_a_line_of_ones_own_in_a_table_for_machines_is_kept(here):
    folder, call = here
    assert call("table", "fake.py", "--out", "new.csv").returncode == 0
    header = (folder / "new.csv").read_text().splitlines()[0]
    (folder / "new.csv").write_text(f"{header}\n{'mine,' * header.count(',')}mine\n")
    rejected(call("table", "fake.py", "--out", "new.csv"), "new.csv", OTHER)


@pytest.mark.parametrize("format", ["svg", "png"])
def test_what_somebody_added_to_a_figure_is_kept(here, format):
    folder, call = here
    command = ("figure", "mechanism", "query_mix", "--format", format, "--out", "drawn")
    for _ in range(2):
        assert call(*command).returncode == 0
    (path,) = (folder / "drawn").iterdir()
    content = path.read_bytes()
    text = b'<text x="9" y="9">MINE</text></svg>'
    changed = content.replace(b"</svg>", text) if format == "svg" else content + b"mine"
    path.write_bytes(changed)
    rejected(call(*command), f"drawn/{path.name}", OTHER)
    assert path.read_bytes() == changed
