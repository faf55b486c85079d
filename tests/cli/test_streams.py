"""Standard streams that are closed, full, unread or of an old encoding; names that are escapes."""

from __future__ import annotations

import csv
import json
import os
import pty
import subprocess
import sys

import pytest

from attn_nlp.experiment.load import resolve_file
from attn_nlp.store import Store
from tests.runner.fakes import BASELINES, CELLS, Here, environment, write_experiment

ESCAPE = "\x1bcRED\x1b]0;pwn\x07\u202e\x9b2J"
SHOWN = "cRED]0;pwn2J"


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def shell(tmp_path, cache):
    """A line for bash in a folder with an experiment: its status, what it printed."""
    write_experiment(tmp_path)

    def call(line, **variables):
        env = environment(cache) | {"NLP": f"{sys.executable} -m attn_nlp"} | variables
        done = subprocess.run(
            ["bash", "-c", line], cwd=tmp_path, env=env, capture_output=True, timeout=120
        )
        return done.returncode, done.stdout, done.stderr.decode()

    return call


FULL = "attn-nlp: standard output: No space left on device; everything stored before is intact.\n"


CLOSED = FULL.replace("No space left on device", "it is closed")
UNOPENED = b"attn-nlp: cannot write to /dev/stdout: Bad file descriptor.\n"
NO_STORE = "attn-nlp: there is no store none yet.\n"
LARGE = "File too large: larger than this shell (ulimit -f) or the file system allows"
TOO_LARGE = f"{NO_STORE}attn-nlp: cannot write to t.html: {LARGE}.\n"


@pytest.mark.parametrize(
    ("streams", "status", "ends"),
    [
        (">&- 2>&- <&-", 4, ""),
        (">&-", 4, CLOSED),
        ("2>&1 | true; exit ${PIPESTATUS[0]}", 141, ""),
        (">/dev/full", 4, FULL),
    ],
    ids=["all closed", "closed", "unread", "full"],
)
def test_a_run_stores_its_results_whatever_becomes_of_its_output(
    shell, tmp_path, streams, status, ends
):
    found, out, err = shell(f"$NLP run fake.py --store s.sqlite --in-process {streams}")
    assert (found, out) == (status, b"")
    assert err.endswith(ends)
    assert "Traceback" not in err
    assert "ignored" not in err
    with Store.read(tmp_path / "s.sqlite") as store:
        statuses = [each["status"] for each in store.records(None, ["status"]).values()]
    assert statuses == ["done"] * (CELLS + BASELINES)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("$NLP parts score >&-", (4, b"", CLOSED)),
        ("$NLP table fake.py --store none --out t.md 2>&- >&-", (0, b"", "")),
        ("$NLP table fake.py --store none --out /dev/stdout 2>&1 >&- | tail -1", (0, UNOPENED, "")),
        ("ulimit -f 1; $NLP table fake.py --store none --out t.html", (2, b"", TOO_LARGE)),
        ("$NLP parts sore 2>&-", (2, b"", "")),
        ("$NLP parts sore 2>/dev/full", (2, b"", "")),
        ("$NLP parts score | true; exit ${PIPESTATUS[0]}", (141, b"", "")),
        ("$NLP run --help | true; exit ${PIPESTATUS[0]}", (141, b"", "")),
        ("$NLP --version | head -1", (0, b"attn-nlp, version 0.1.0\n", "")),
        ("$NLP parts score >/dev/full", (4, b"", FULL)),
        ("$NLP parts score 1</dev/null", (4, b"", FULL.replace(
            "No space left on device", "Bad file descriptor"))),
        ("$NLP table fake.py --store none --out >(cat) 2>/dev/null | head -1", (0, b"Heads\n", "")),
    ],
)  # fmt: skip
def test_no_stream_ends_in_a_traceback(shell, line, expected):
    assert shell(line) == expected


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_an_output_that_ends_too_early_is_an_error(shell, tmp_path, unbuffered):
    """A short write is followed by another, which says why, also where Python does not buffer."""
    line = "ulimit -f 1; $NLP parts >parts.txt"
    status, _, err = shell(line, PYTHONUNBUFFERED=unbuffered)
    assert (tmp_path / "parts.txt").stat().st_size == 1024
    assert status == 4
    assert err == FULL.replace("No space left on device", LARGE)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_letters_that_an_encoding_lacks_are_substituted(shell, encoding):
    line = "$NLP table fake.py --store none; $NLP parts 中"
    status, out, err = shell(line, PYTHONIOENCODING=encoding)
    assert status == 2
    assert b"\n- not run yet\n" in out
    assert b"\n----" in out
    assert r"'\u4e2d'" in err.splitlines()[-1]


def on_a_terminal(folder, env, *arguments):
    """Return what a command sends to a terminal."""
    main, other = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "attn_nlp", *arguments],
        cwd=folder,
        env=env,
        stdin=other,
        stdout=other,
        stderr=other,
    )
    os.close(other)
    found = b""
    while True:
        try:
            found += os.read(main, 65536)
        except OSError:  # the other end is closed
            break
    os.close(main)
    process.wait()
    return found.decode()


def test_data_on_a_terminal_is_cleaned_and_exact_in_a_file(shell, tmp_path, cache, catalogue):
    """In the file of data a label is what it is."""
    resolved = resolve_file(tmp_path / "fake.py")
    resolved.tables[0]["rows"][0]["label"] = ESCAPE  # as only a store from elsewhere has it
    with Store.open(tmp_path / "s.sqlite") as store:
        store.save_experiment(resolved)
    line = "table", "--name", "fake", "--store", "s.sqlite", "--format", "csv"
    shown = on_a_terminal(tmp_path, environment(cache), *line)
    assert f",{SHOWN}," in shown
    assert "\x1b" not in shown
    shell("$NLP table --name fake --store s.sqlite --format csv >piped; "
          "$NLP table --name fake --store s.sqlite --out file.csv")  # fmt: skip
    assert f",{ESCAPE},".encode() in (tmp_path / "piped").read_bytes()
    piped, written = (
        list(csv.reader((tmp_path / name).read_text().splitlines()))
        for name in ("piped", "file.csv")
    )
    assert piped == written  # byte by byte they differ: quotes sign the file


@pytest.fixture
def here(tmp_path, cache, catalogue, monkeypatch, capsys):
    """Commands in a folder in which every name is an escape."""
    file = write_experiment(tmp_path).rename(tmp_path / f"{ESCAPE}.py")
    rows = [f"film number {place},{(ESCAPE, 'y')[place % 2]}" for place in range(60)]
    (tmp_path / "films.csv").write_text("text,label\n" + "\n".join(rows) + "\n")
    (tmp_path / f"{ESCAPE}.csv").write_text("text,label\na,b\n")
    (tmp_path / "columns.csv").write_text(f"te{ESCAPE},label\na,b\n")
    (tmp_path / "folder").mkdir()
    (tmp_path / f"folder/{ESCAPE}.csv").write_text("text,label\na,b\n")
    (tmp_path / "boom.py").write_text(f"raise RuntimeError({ESCAPE + chr(10)!r} + chr(0xd800))\n")
    text = file.read_text().replace("first line\\nsecond line", repr(ESCAPE)[1:-1])
    file.write_text(text)
    (tmp_path / "log.txt").touch()
    call = Here(tmp_path, cache, monkeypatch, capsys)
    done = call("run", file.name, "--in-process", "--dataset", "films.csv", RAISE="1,0")
    assert done.returncode == 3
    return done, call


def test_names_from_outside_reach_no_terminal(here):
    """Each command shows the name, and nothing that a terminal would obey."""
    done, call = here
    name, data = f"{ESCAPE}.py", ("--dataset", "films.csv")
    commands = [
        ("plan", name, *data),
        ("status",),
        ("status", name, *data),
        ("table", name, *data),
        ("table", "--name", ESCAPE, "--format", "markdown"),
        ("table", "--name", ESCAPE, "--format", "latex"),
        ("table", "--name", ESCAPE, "--format", "html"),
        ("table", "--name", ESCAPE, "--per-class"),
        ("watch", name, *data, "--once"),
        ("datasets", "films.csv"),
        ("plan", name, "--dataset", f"{ESCAPE}.csv"),
        ("datasets", "columns.csv"),
        ("datasets", "folder"),
        ("plan", "boom.py"),
        ("plan", f"{ESCAPE}.p"),
        ("parts", ESCAPE),
        ("table", name, "--format", ESCAPE),
        ("table", name, "--out", f"{ESCAPE}.docx"),
        ("table", name, "--only", f"{ESCAPE}=1"),
        ("figure", "results", name, *data, "--kind", "forest", "--format", "svg"),
        ("report", name, *data, "--out", f"{ESCAPE}.html"),
        ("diff", f"{ESCAPE}", "none"),
        ("export", "--out", f"{ESCAPE}.sqlite"),
        ("doctor",),
        ("merge", f"{ESCAPE}.sqlite", "--store", "all.sqlite"),
        (ESCAPE,),
    ]
    for found in (done, *(call(*each) for each in commands)):
        said = found.stdout + found.stderr
        assert not set("\x1b\x07\u202e\x9b") & set(said), found.args
        if found.args[0] != "doctor":
            assert "RED" in said, found.args
        if found.returncode == 2:
            assert found.stderr.count("\n") == 1, found.args


def test_json_says_names_exactly_in_escapes(here):
    _, call = here
    found = call("status", f"{ESCAPE}.py", "--dataset", "films.csv", "--json")
    (entry,) = json.loads(found.stdout)
    assert entry["experiment"] == ESCAPE
    assert entry["reasons"][0]["reason"].endswith(ESCAPE)
    found = call("datasets", "films.csv", "--json")
    assert json.loads(found.stdout)["classes"] == [ESCAPE, "y"]
    found = call("table", "--name", ESCAPE, "--format", "json")
    assert json.dumps(ESCAPE)[1:-1] in found.stdout
    json.loads(found.stdout)
    assert not set("\x1b\x07\u202e\x9b") & set(found.stdout)


def test_a_fault_shows_no_escape_either(tmp_path, cache):
    code = (
        "from attn_nlp import cli\nfrom attn_nlp.parts import registry\n"
        "def parts(slot): raise RuntimeError(slot)\n"
        f"registry.parts = parts; registry.SLOTS = [{ESCAPE!r}]\n"
        f"cli.main(['parts', {ESCAPE!r}])"
    )
    env = environment(cache)
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("Traceback")
    assert done.stderr.endswith(f"RuntimeError: {SHOWN}\n")
