"""The progress that a run reports."""

from __future__ import annotations

import io

from attn_nlp.runner.job import Job
from attn_nlp.runner.progress import Progress

JOB = Job("s", {}, "", "p", label="fake heads=1")


def test_lines_come_now_and_then_and_at_the_end():
    stream, now = io.StringIO(), [0.0]
    with Progress(10, 4, stream, lambda: now[0]) as progress:
        progress.running(0, JOB, {"step": 1, "steps": 4})
        assert stream.getvalue() == ""
        now[0] = 30.0
        progress.release(0, 30.0)
        progress.finished({"status": "done"})
        assert stream.getvalue() == "attn-nlp: 5 of 10 cells, about 3 min left\n"
        now[0] = 35.0
        progress.finished({"status": "failed"})
        progress.elsewhere(2)
    assert stream.getvalue().splitlines()[-2] == (
        "attn-nlp: 8 of 10 cells, 1 failed or diverged, about 35 s left"
    )


def test_the_forecast_leaves_out_what_is_compiled_once():
    now = [0.0]
    progress = Progress(10, 0, io.StringIO(), lambda: now[0], workers=2)
    progress.running(0, JOB, {"step": 0, "steps": 4, "compiling": True})
    now[0] = 100.0
    progress.finished({"status": "done", "compile_seconds": 180.0})
    assert progress.line() == "1 of 10 cells, 1 running, 1 of them compiling"
    progress.running(0, JOB, {"step": 1, "steps": 4})
    assert progress.line() == "1 of 10 cells, 1 running, about 2 min left"


def test_the_last_line_says_how_busy_the_workers_were():
    stream, now = io.StringIO(), [100.0]
    progress = Progress(3, 0, stream, lambda: now[0], workers=2)
    with progress:
        now[0] = 200.0
        for worker, seconds in ((0, 90.0), (1, 30.0), (1, 40.0)):
            progress.release(worker, seconds)
            progress.finished({"status": "done", "compile_seconds": 4.5 * worker})
    assert stream.getvalue().splitlines()[-1] == (
        "attn-nlp: 2 workers for 2 min: 80% busy with cells, 9 s of that compiling"
    )
    stream = io.StringIO()
    with Progress(1, 0, stream, lambda: 0.0) as progress:
        progress.finished({"status": "failed"})
    assert "1 worker for 1 s: 0% busy" in stream.getvalue()


def test_a_note_is_one_line_that_names_its_cell():
    stream = io.StringIO()
    with Progress(1, 0, stream) as progress:
        progress.note(JOB, "two\nlines, \x1b[31mred\u202e")
    assert stream.getvalue() == "attn-nlp: fake heads=1: two lines, [31mred\n"


def test_a_live_display_obeys_no_label():
    stream = Terminal()
    job = Job("s", {}, "", "p", label="\x1b]0;pwn\x07la\x9bbel\u202e\ud800\nnext")
    with Progress(2, 0, stream) as progress:
        progress.running(0, job, {})
        progress.note(job, "\x1b]0;note")
        progress.finished({"status": "done"})
    shown = stream.getvalue()
    assert "]0;pwnlabel? next" in shown
    assert "attn-nlp: ]0;pwnlabel? next: ]0;note" in shown
    assert not {"\x07", "\x9b", "\u202e", "\ud800"} & set(shown)
    assert "\x1b]" not in shown


def test_a_run_without_a_standard_error_goes_on(monkeypatch):
    monkeypatch.setattr("sys.stderr", None)
    with Progress(1, 0) as progress:
        progress.finished({"status": "done"})


def test_a_run_without_anything_to_do_is_silent():
    stream = io.StringIO()
    with Progress(10, 10, stream):
        pass
    assert stream.getvalue() == ""


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_shows_what_runs():
    stream = Terminal()
    with Progress(3, 0, stream) as progress:
        progress.running(0, JOB, {"step": 1, "steps": 4})
        progress.finished({"status": "done"})
    assert "fake heads=1 step 1/4" in stream.getvalue() or "1 of 3 cells" in stream.getvalue()


def test_a_terminal_shows_the_tables_so_far_and_what_compiles():
    stream, made = Terminal(), []

    def tables(width):
        made.append(width)
        return f"\x1b[1mTable {len(made)}\x1b[0m of {width}"

    now = [0.0]
    with Progress(3, 0, stream, lambda: now[0], tables=tables) as progress:
        progress.running(0, JOB, {"step": 0, "steps": 4, "compiling": 1})
        progress.finished({"status": "done"})  # too early for another table
        assert len(made) == 1
        now[0] = 5.0
        progress.finished({"status": "done"})
    shown = stream.getvalue()
    assert "fake heads=1 compiling" in shown
    assert f"Table 2\x1b[0m of {made[0]}" in shown
    assert len(made) == 2


def test_tables_take_a_small_share_of_a_run():
    """One that takes 3 seconds is made again 150 seconds later."""
    stream, now, made = Terminal(), [0.0], []

    def tables(width):
        made.append(now[0])
        now[0] += 3.0
        return ""

    with Progress(3, 0, stream, lambda: now[0], tables=tables) as progress:
        for now[0] in (10.0, 152.0, 154.0):
            progress.refresh()
    assert made == [0.0, 154.0]


def test_without_a_terminal_no_table_is_made():
    plain, given = io.StringIO(), io.StringIO()
    for stream, tables in ((plain, None), (given, lambda width: 1 / 0)):
        with Progress(2, 0, stream, lambda: 0.0, tables=tables) as progress:
            progress.running(0, JOB, {"step": 0, "steps": 4, "compiling": 1})
            progress.finished({"status": "done"})
    assert given.getvalue() == plain.getvalue() != ""
