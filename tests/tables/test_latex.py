"""LaTeX: what is escaped how, and that pdflatex sets every table of every experiment."""

from __future__ import annotations

import os
import random
import re
import subprocess
from pathlib import Path

import pytest

from attn_nlp.experiment.load import Overrides, resolve_file
from attn_nlp.tables import build, cost, render
from attn_nlp.tables.formats._tex import escape, odd
from tests.conftest import required_program

from .example import by_heads, example, facts, record
from .hostile import HOSTILE, hostile

EXPERIMENTS = sorted(Path("experiments").glob("*.py"))
PACKAGES = ("booktabs.sty", "amssymb.sty", "graphicx.sty", "CJKutf8.sty", "gbsnu4f.tfm")
# Each would stop pdflatex, change the table or vanish, if it were written as it is.
NASTY = (
    HOSTILE,
    r"\input{secret} \end{tabular} \write18{ls} ^^5c \\",
    "[4pt] * & 50% #1 $x^2_i$ ~ {unbalanced",
    "*[x] } trailing backslash \\",
    "注意力：缩放 1/√D，β ≈ 0.5；кот, かな",
    "emoji 😀 \ufb01ne é ŵ q̇ Łódź ά ∀ \u200d\u0903 \U000f0000",
    "-- --- '' ,, << >> ?` !` \"quoted\" `so`",
    "% a comment\n\n\\par and a paragraph \x1b[31m\x07\x00 \ud800",
    "w" * 300,
    "many words " * 30,
)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("a_b & 50% #1", r"a\_b \& 50\% \#1"),
        ("{x}^2 ~ $", r"\{x\}\textasciicircum{}2 \textasciitilde{} $\mathdollar$"),
        ("\\input{x}", r"\textbackslash{}input\{x\}"),
        ("[a]*", "{[}a{]}{*}"),
        (
            "1/√D, √head_dim and √",
            r"1/$\sqrt{\mathrm{D}}$, $\sqrt{\mathrm{head}}$\_dim and $\surd$",
        ),
        ("αβ Ω Α ς λ", r"$\alpha$$\beta$ $\Omega$ A $\varsigma$ $\lambda$"),
        ("±1 −2 ≤ 10⁻", r"$\pm$1 $-$2 $\le$ 10\texttt{U+207B}"),
        ("-- '' a-b", r"-{}- '{}' a-b"),
        ("é ŵ ï Ł", r"""\'{e} \^{w} \"{\i} \L{}"""),
        ("q̇", r"\.{q}"),
        ("你好, x", r"\attnhan{你好}, x"),
        ("😀", r"\texttt{U+1F600}"),
        ("a\u200db\u202e", "ab"),
        ("two\nlines", "two lines"),
        ("w" * 70, rf"{'w' * 30}\allowbreak{{}}{'w' * 30}\allowbreak{{}}{'w' * 10}"),
        ("", ""),
    ],
)
def test_text_is_escaped(text, written):
    assert escape(text) == written


@pytest.mark.parametrize("text", NASTY)
def test_what_is_written_is_ascii_but_for_chinese_and_balanced(text):
    written = escape(text)
    assert re.sub(r"\\attnhan\{[^}]*\}", "", written).isascii()
    depth = 0
    for brace in re.findall(r"(?<!\\)[{}]", written.replace("\\\\", "")):
        depth += 1 if brace == "{" else -1
        assert depth >= 0
    assert depth == 0
    assert "\n" not in written


def test_odd_characters_are_named_in_the_notes():
    assert odd(["é 你 α 😀", "∀ 😀"]) == ["∀", "😀"]
    text = render([hostile("smile 😀")], "latex")
    assert r"\texttt{U+1F600} stands for: grinning face." in text
    assert "stands for" not in render([build(*example())], "latex")


def test_packages_are_named_as_far_as_they_are_needed():
    plain = render([build(*example())], "latex").splitlines()
    assert [line for line in plain if line.startswith("%")][1].strip("% ") == (
        r"\usepackage{amssymb,booktabs,graphicx}"
    )
    assert not any("CJK" in line for line in plain)
    assert r"%   \usepackage{CJKutf8}" in render([hostile("缩放")], "latex")


def test_labels_of_a_document_differ():
    grid = build(*example())
    text = render([grid, grid, hostile("缩放")], "latex")
    assert re.findall(r"\\label\{(.*)\}", text) == ["tab:scales", "tab:scales-2", "tab:table"]


def test_the_header_has_a_rule_under_every_group():
    text = render([build(*by_heads())], "latex")
    assert r"\cmidrule(lr){2-10}\cmidrule(lr){11-19}" in text
    assert text.count(r"\multicolumn{9}{c}") == 2
    assert text.count(r"\multicolumn{3}{c}") == 6


def every_table():
    """All tables of all experiments over two seeds, scores drawn, every text hostile."""
    draws = random.Random(0)
    nasty = 0

    def next_nasty():
        nonlocal nasty
        nasty += 1
        return NASTY[nasty % len(NASTY)]

    for file in EXPERIMENTS:
        resolved = resolve_file(file, Overrides(seeds=2))
        records = {
            each["spec"]: record(draws.uniform(0.5, 0.9), each["settings"]["dataset"])
            | {"data": facts(each["settings"]["dataset"]) | {"label": NASTY[draws.randrange(8)]}}
            for each in (*resolved.cells, *resolved.baselines)
        }
        for spec in list(records)[::17]:
            records[spec] |= {"status": "failed", "reason": next_nasty()}
        for table in resolved.tables:
            rows = [row | {"label": next_nasty(), "cite": next_nasty()} for row in table["rows"]]
            changed = {**table, "title": next_nasty(), "note": next_nasty(), "rows": rows}
            yield build(changed, resolved, records)
            yield cost(changed, resolved, records)


DOCUMENT = r"""
\documentclass{article}
\usepackage{amssymb,booktabs,graphicx,CJKutf8}
\begin{document}
\listoftables
\input{tables}
\end{document}
"""


def test_pdflatex_sets_every_table_of_every_experiment(tmp_path):
    required_program("pdflatex", needs=PACKAGES)
    grids = list(every_table())
    assert len(grids) >= 2 * len(EXPERIMENTS)
    (tmp_path / "document.tex").write_text(DOCUMENT)
    (tmp_path / "tables.tex").write_text(render(grids, "latex"), encoding="utf-8")
    for _ in range(2):  # the second run reads the list of tables
        done = subprocess.run(
            [
                "pdflatex",
                "-no-shell-escape",
                "-halt-on-error",
                "-interaction=nonstopmode",
                "document",
            ],
            cwd=tmp_path,
            env={**os.environ, "HOME": str(tmp_path), "max_print_line": "1000"},
            capture_output=True,
            text=True,
            errors="replace",
        )
        assert done.returncode == 0, done.stdout[-3000:]
    log = (tmp_path / "document.log").read_text(errors="replace")
    assert "Missing character" not in log
    assert "Float too large" not in log  # nothing hangs over the end of a page
    assert "multiply defined" not in log
    listed = (tmp_path / "document.lot").read_text(errors="replace")
    assert listed.count("contentsline {table}") == len(grids)
    assert (tmp_path / "document.pdf").read_bytes().startswith(b"%PDF")
