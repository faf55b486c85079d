"""Text from outside leaves the program in one way, without what a terminal would obey."""

from __future__ import annotations

import ast
import io
import json
import os
import sys

import pytest

from attn_nlp import wording
from attn_nlp.tables.legend import MARKS, STATE_MARKS
from tests.test_architecture import FILES, name

NASTY = "a\x1b[31m\x1b]0;t\x07b\x9b2J\u202e\ufffe\uffffc\U0010ffff\ud800\r\nd"
SHOWN = "a[31m]0;tb2Jc? d"


@pytest.mark.parametrize("file", FILES, ids=name)
def test_nothing_else_prints(file):
    """Everything goes through `wording`; what rich draws live is cleaned where it is made."""
    if file.name == "wording.py":
        return
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            where = f"{name(file)}, line {node.lineno}: {called}"
            assert called not in ("print", "click.echo", "click.secho"), f"{where}; use wording.say"
            assert not called.startswith(("sys.stdout.write", "sys.stderr.write")), where


def test_a_line_is_one_line_without_controls(capsys):
    wording.say(NASTY)
    wording.warn(NASTY)
    wording.warn(f"  3 x {NASTY}", before="")
    out, err = capsys.readouterr()
    assert out == f"{SHOWN}\n"
    assert err == f"attn-nlp: {SHOWN}\n  3 x {SHOWN}\n"


def test_lines_keep_their_breaks_and_colors_only_where_asked(capsys):
    wording.show("\x1b[1mone\x1b[0m\ttab\n\x1b]0;two\n", styled=True)
    wording.show("\x1b[1mone\x1b[0m")
    assert capsys.readouterr().out == "\x1b[1mone\x1b[0m\ttab\n]0;two\n[1mone[0m\n"


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_data_is_exact_but_on_a_terminal(monkeypatch):
    for stream, shown in ((io.StringIO(), "\x1b[31m?,\x85\n"), (Terminal(), "[31m?,\n")):
        monkeypatch.setattr("sys.stdout", stream)
        wording.show("\x1b[31m\ud800,\x85", exact=True)
        assert stream.getvalue() == shown


def test_json_says_the_same_in_escapes():
    text = json.dumps([NASTY, "\u2028", "é"], ensure_ascii=False)
    found = wording.escaped_json(text)
    assert json.loads(found) == json.loads(text)
    assert wording.without_controls(found) == found
    assert "é" in found


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "koi8-r"])
def test_marks_stay_apart_in_any_encoding(encoding):
    """A question mark in place of a triangle would turn "better" into "undecided"."""
    marks = [*MARKS.values(), *STATE_MARKS.values()]
    shown = [each.encode(encoding, wording.SUBSTITUTES).decode(encoding) for each in marks]
    assert len(set(shown)) == len(marks)
    assert "中".encode(encoding, wording.SUBSTITUTES) == rb"\u4e2d"


def test_a_stream_of_another_encoding_gets_substitutes(monkeypatch):
    raw = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(raw, "ascii"))
    wording.say("−4.1 ±0.8 ▼ 中")
    assert raw.getvalue() == b"-4.1 +/-0.8 v \\u4e2d\n"


def full():
    return open("/dev/full", "w", encoding="utf-8")


def unread():
    read, write = os.pipe()
    os.close(read)
    return os.fdopen(write, "w", encoding="utf-8")


@pytest.mark.parametrize(
    ("stream", "raises"), [(full, wording.Unwritable), (unread, wording.Unread)]
)
def test_what_cannot_be_written_ends_a_command_once(monkeypatch, stream, raises):
    """Nothing is left in the stream that would fail again when the interpreter ends."""
    with stream() as opened:
        monkeypatch.setattr("sys.stdout", opened)
        with pytest.raises(raises):
            wording.say("a")
        opened.flush()
    with stream() as opened:  # how things go may be lost; the work goes on
        monkeypatch.setattr("sys.stderr", opened)
        wording.warn("a")
        wording.warn("b")
        opened.flush()


def test_no_stream_is_no_fault(monkeypatch):
    for stream in ("stdout", "stderr"):
        monkeypatch.setattr(sys, stream, None)
    wording.say("a")
    wording.warn("a")


def test_a_text_that_is_not_a_time_is_shown_as_it_is():
    assert wording.moment("yesterday") == "yesterday"


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "1 s"), (59.4, "59 s"), (89, "1 min"), (90, "2 min"), (3599, "60 min"), (7300, "2.0 h")],
)
def test_a_duration_is_said_in_its_largest_unit(seconds, said):
    assert wording.duration(seconds) == said
