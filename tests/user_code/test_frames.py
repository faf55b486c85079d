"""The user's own line of an exception, whatever raised it and whatever it says."""

from __future__ import annotations

import linecache

import jax
import jax.numpy as jnp
import pytest

from attn_nlp.user_code import frames

HERE = frames.shown(__file__)


def caught(function) -> BaseException:
    try:
        function()
    except BaseException as error:
        return error
    raise AssertionError("nothing was raised")


def line_of(text: str) -> int:
    """Where the only line with that text stands in this file."""
    lines = linecache.getlines(__file__)
    (found,) = [n for n, line in enumerate(lines, 1) if text in line and "line_of" not in line]
    return found


def divides():
    return 1.0 / 0  # the line that divides


def multiplies():
    return jax.jit(lambda x: x @ jnp.ones(7))(jnp.ones(3))  # the line that multiplies


def chained():
    try:
        divides()
    except ZeroDivisionError as error:
        raise KeyError("so") from error  # the line that chains


@pytest.mark.parametrize("filtering", ["off", "remove_frames", "quiet_remove_frames"])
def test_the_innermost_line_of_ones_own_is_found_through_jax(filtering):
    before = getattr(jax.config, "jax_traceback_filtering")  # noqa: B009 - made at run time
    jax.config.update("jax_traceback_filtering", filtering)
    try:
        error = caught(multiplies)
    finally:
        jax.config.update("jax_traceback_filtering", before)
    line = line_of("# the line that multiplies")
    assert frames.where(error) == f"{HERE}, line {line}, in <lambda>"
    assert frames.told(error).startswith(f"{HERE}, line {line}, in <lambda>: TypeError: ")


def test_an_exception_is_reported_with_file_line_and_function():
    line = line_of("# the line that divides")
    told = f"{HERE}, line {line}, in divides: ZeroDivisionError: float division by zero"
    assert frames.told(caught(divides)) == told
    assert frames.line_of(divides) == f"{HERE}, line {line - 1}"
    line = line_of("# the line that chains")
    assert frames.told(caught(chained)) == f"{HERE}, line {line}, in chained: KeyError: 'so'"


def test_lines_of_packages_are_nobodys_own():
    import json

    error = caught(lambda: json.loads("{"))
    assert frames.where(error).endswith("in <lambda>")
    inside = error.__traceback__
    while inside.tb_next is not None:
        inside = inside.tb_next
    assert "json" in inside.tb_frame.f_code.co_filename
    assert frames.told(ValueError("from nowhere")) == "ValueError: from nowhere"


class Mute(Exception):
    def __str__(self):
        raise SystemExit(1)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (Mute(), "Mute: (its message cannot be printed)"),
        (SystemExit(), "SystemExit"),
        (KeyboardInterrupt(), "KeyboardInterrupt"),
        (ValueError("one\ntwo"), "ValueError: one"),
        (ValueError("\ud800 and \0"), "ValueError: \\ud800 and \\x00"),
        (ValueError("x" * 5000), "ValueError: " + "x" * 997 + "..."),
    ],
)
def test_whatever_an_exception_says_it_is_reported_in_one_line(error, said):
    assert frames.told(error) == said
    frames.whole(error).encode()  # can be stored


def test_a_very_deep_traceback_is_cut():
    def deep(n):
        return deep(n + 1)

    error = caught(lambda: deep(0))
    assert "in deep: RecursionError: maximum recursion depth exceeded" in frames.told(error)
    text = frames.whole(ValueError("x" * 200_000))
    assert len(text) < frames.LONGEST_DETAIL + 100
    assert "[...]" in text


def test_a_file_is_named_from_its_folder_or_alone(tmp_path, monkeypatch):
    assert frames.shown(str(tmp_path / "far" / "idea.py")) == "idea.py"
    monkeypatch.chdir(tmp_path)
    assert frames.shown(str(tmp_path / "far" / "idea.py")) == "far/idea.py"
    assert frames.shown("idea.py") == "idea.py"
