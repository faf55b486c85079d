"""watch: its snapshots, which disturb no run, and how it ends in a real terminal."""

from __future__ import annotations

import dataclasses
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time

import pytest

from attn_nlp import cli
from attn_nlp.cli.watch import snapshot
from attn_nlp.store import Store
from tests.runner.fakes import environment, write_experiment
from tests.tables.example import by_heads, example

HEAVY = ("jax", "datasets", "matplotlib", "sklearn", "tokenizers", "scipy.stats")


@pytest.fixture
def run(tmp_path):
    """An experiment of which 20 cells are finished, one has diverged and two are at work."""
    _, resolved, records = example()
    records = dict(list(records.items())[:21])
    last = list(records)[-1]
    records[last] = {**records[last], "status": "diverged", "test": None, "validation": None}
    path = tmp_path / "store.sqlite"
    with Store.open(path) as store:
        store.save_experiment(resolved)
        for spec, record in records.items():
            store.claim(spec)
            store.finish(spec, {"key": "k", **record, "confusion": None})
        left = [cell["spec"] for cell in resolved.cells if cell["spec"] not in records]
        for spec in left[:2]:
            store.claim(spec)
        yield path, resolved, store, left


def finish(store, resolved, left):
    _, _, records = example()
    for spec in [*left, *(baseline["spec"] for baseline in resolved.baselines)]:
        store.claim(spec)
        record = records.get(spec, records["sst2/none/1/0"])
        store.finish(spec, {"key": "k", **record, "confusion": None})


def test_a_snapshot_counts_and_shows_the_means_so_far(run):
    path, resolved, _, left = run
    found = snapshot(resolved, path)
    lines = found.text.splitlines()
    cells = len(resolved.cells) + len(resolved.baselines)
    assert found.left == cells - 21 == len(left) + len(resolved.baselines)
    assert lines[0] == (
        f"example: 20 done, 1 diverged, 2 running, {found.left - 2} to do, {cells} cells in total"
    )
    assert lines[1].endswith(f" {21 / cells:.0%}")
    # One of its scales is unknown here, as in a store of someone else's parts.
    assert lines[2] == "time left unknown, 2 at work"
    assert [line.split()[0] for line in lines[3:5]] == ["encoder", "encoder"]
    # The reference over its first three seeds: .70, .71, .72.
    assert re.search(r"1/sqrt\(D\) +71\.0 ±2\.5 \(3 of 7\)", found.text)


def test_a_name_is_one_line_that_no_terminal_obeys(run):
    """The live view takes colors from the text, so that they must be ours."""
    path, resolved, *_ = run
    named = dataclasses.replace(resolved, name="a\x1b[31m\x1b]0;pwn\x07\nb")
    assert snapshot(named, path).text.startswith("a[31m]0;pwn b: 20 done")
    assert "\x1b]" not in snapshot(named, path, color=True).text


def test_the_time_left_is_an_estimate(tmp_path):
    _, resolved, records = by_heads()
    with Store.open(tmp_path / "store") as store:
        for cell in resolved.cells[2:]:
            store.claim(cell["spec"])
            store.finish(cell["spec"], {"key": "k", **records[cell["spec"]], "confusion": None})
        store.claim(resolved.cells[0]["spec"])
        found = snapshot(resolved, tmp_path / "store")
    assert found.left == 2
    assert re.fullmatch(r"about .* left, an estimate, 1 at work", found.text.splitlines()[2])


def test_nothing_is_tested_while_results_come_in(run):
    path, resolved, *_ = run
    text = snapshot(resolved, path).text
    assert not re.search(r"[▲▼△▽?]|[+−]\d", text)
    assert "Holm" not in text
    assert "verdicts come with the finished table" in text


def test_without_a_run_it_says_how_to_go_on(run):
    path, resolved, store, _ = run
    store.release()
    assert "nothing is running" in snapshot(resolved, path).text


def test_before_the_first_run_everything_is_to_do(run, tmp_path):
    _, resolved, *_ = run
    found = snapshot(resolved, tmp_path / "none.sqlite")
    assert found.left == len(resolved.cells) + len(resolved.baselines)
    assert not (tmp_path / "none.sqlite").exists()


def test_a_snapshot_fits_a_narrow_terminal(run):
    path, resolved, *_ = run
    for width in (40, 80, 200):
        tables = snapshot(resolved, path, width=width).text.split("\n\n", 2)[2]
        assert max(map(len, tables.splitlines())) <= width


def test_a_writer_is_never_kept_waiting(run):
    """Take a snapshot while a transaction of a run is open, and write right after it."""
    path, resolved, store, left = run
    store._db.execute("BEGIN IMMEDIATE")
    before = snapshot(resolved, path).left
    store._db.execute("ROLLBACK")
    with Store.open(path, wait=0.0) as other:
        snapshot(resolved, path)
        assert other.claim(left[5])
    assert snapshot(resolved, path).left == before


def test_a_run_that_ends_while_it_is_watched_leaves_all_rows_in_its_file(run, tmp_path):
    """A reader cannot move them there from the log; a copy of the file would lack them."""
    path, resolved, store, left = run
    with Store.read(path) as watching:
        watching.names()
        finish(store, resolved, left)
        store.close()
    copy = tmp_path / "copy.sqlite"
    copy.write_bytes(path.read_bytes())
    with Store.read(copy) as found:
        assert len(found.records()) == len(resolved.cells) + len(resolved.baselines)


def test_once_prints_one_snapshot(run, capsys):
    path, *_ = run
    assert cli.main(["watch", "--name", "example", "--store", str(path), "--once"]) == 0
    out, err = capsys.readouterr()
    assert (out.count("cells in total"), err) == (1, "")
    assert "\x1b" not in out


def test_help_and_mistakes(capsys, tmp_path):
    assert cli.main(["watch", "--help"]) == 0
    assert "Examples:" in capsys.readouterr().out
    assert cli.main(["watch"]) == 2
    store = ["--store", str(tmp_path / "s")]
    for seconds in ("0", "nan", "inf", "1e12"):
        assert cli.main(["watch", "--name", "x", "--every", seconds, *store]) == 2
    assert cli.main(["table", "--name", "x", "--to-reach", "nan", *store]) == 2


class Terminal:
    """The command in a terminal of its own; `read` gathers what it shows."""

    def __init__(self, arguments, **place):
        self.shown = ""
        code = (
            # Tests that a shell began in its background inherit that Ctrl-C is ignored.
            "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
            "import sys; from attn_nlp.cli import main; status = main(sys.argv[1:]); "
            f"heavy = [name for name in {HEAVY!r} if name in sys.modules]; "
            "print('heavy:', heavy); sys.exit(status)"
        )
        self._master, slave = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-c", code, *arguments],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env={
                **os.environ,
                "TERM": "xterm",
                "COLUMNS": "100",
                "LINES": "50",
                **place.pop("env", {}),
            },
            **place,
        )
        os.close(slave)

    def read(self, words, seconds=60.0):
        """Until the words have been shown."""
        until = time.monotonic() + seconds
        while words not in self.shown:
            assert time.monotonic() < until, self.shown
            if select.select([self._master], [], [], 0.1)[0]:
                try:
                    self.shown += os.read(self._master, 65536).decode(errors="replace")
                except OSError:  # the other end is closed
                    break
        assert words in self.shown

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self._master)


@pytest.fixture
def terminal(run):
    named = ["--name", "example", "--store", str(run[0])]
    opened = Terminal(["watch", *named, "--every", "0.1"])
    yield opened
    opened.close()


def test_a_live_view_follows_a_run_and_ends_with_it(run, terminal):
    _, resolved, store, left = run
    terminal.read("2 running")
    finish(store, resolved, left)
    terminal.read("nothing is left to do")
    terminal.read("heavy: []")
    assert terminal.process.wait(60) == 0


def test_ctrl_c_ends_with_130_and_leaves_the_run_alone(run, terminal):
    path, resolved, *_ = run
    terminal.read("2 running")
    terminal.process.send_signal(signal.SIGINT)
    terminal.read("interrupted.")
    assert terminal.process.wait(60) == 130
    assert "Traceback" not in terminal.shown
    assert "2 running" in snapshot(resolved, path).text


def test_a_run_in_a_terminal_shows_its_table_as_it_fills(tmp_path):
    """Below what runs; the finished table, with its verdicts, comes after it."""
    write_experiment(tmp_path)
    arguments = ["run", "fake.py", "--workers", "1"]
    opened = Terminal(arguments, cwd=tmp_path, env=environment(tmp_path / "cache"))
    try:
        opened.read("Means so far")
        opened.read("±: half of a 95% t interval over 3 seeds")
        opened.read("heavy:")
        assert opened.process.wait(60) == 0
    finally:
        opened.close()
    assert opened.shown.index("Means so far") < opened.shown.index("±: half")
