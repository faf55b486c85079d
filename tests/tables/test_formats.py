"""The formats: golden files, numbers read back, hostile text, narrow terminals.

The golden files are written from `example.py`, whose numbers are checked by hand in
`test_build.py`; `tests/golden/tables/README.md` is the hand check. They change only with
ATTN_NLP_REGENERATE=1, and the diff is read.
"""

import csv as standard_csv
import dataclasses
import io
import os
import re
import unicodedata
from pathlib import Path

import pytest
from rich.cells import cell_len

from attn_nlp.errors import UserError
from attn_nlp.tables import FORMATS, build, cost, csv, markdown, render, suffix, terminal
from attn_nlp.tables.text import number

from .example import by_heads, example
from .hostile import HOSTILE, hostile

GOLDEN = Path(__file__).parents[1] / "golden" / "tables"
FORMULA = "=HYPERLINK(1)"


def grids():
    return {"scales": build(*example()), "heads": build(*by_heads()), "cost": cost(*example())}


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("name", ["scales", "heads", "cost"])
def test_golden(name, format):
    written = render([grids()[name]], format)
    golden = GOLDEN / f"{name}{suffix(format)}"
    if os.environ.get("ATTN_NLP_REGENERATE") == "1":
        golden.parent.mkdir(parents=True, exist_ok=True)
        golden.write_text(written, encoding="utf-8")
    assert written == golden.read_text(encoding="utf-8")


def test_an_unknown_format_is_a_mistake():
    with pytest.raises(UserError, match=r"Did you mean 'markdown'\?"):
        render([], "markdwon")


def read_csv(text):
    return list(standard_csv.DictReader(io.StringIO(text)))


def printed(text):
    """The means and differences of a table's body, in printed order."""
    found = re.findall(r"(?<![\w.±])([+−]?\d+\.\d)(?: ±(\d+\.\d))?", text)
    return [(mean.replace("−", "-"), half) for mean, half in found]


def expected(rows):
    """Round the CSV's full precision to one decimal of a percent."""

    def rounded(value, sign=""):
        text = f"{100 * float(value):{sign}.1f}"
        return "0.0" if float(text) == 0 else text

    found = []
    for row in rows:
        if row["mean"]:
            half = (float(row["high"]) - float(row["low"])) / 2 if row["low"] else None
            found.append((rounded(row["mean"]), "" if half is None else rounded(half)))
        if row["difference"]:
            half = (float(row["difference_high"]) - float(row["difference_low"])) / 2
            found.append((rounded(row["difference"], "+"), rounded(half)))
    return found


def test_csv_reads_back_to_the_last_bit():
    grid = build(*example())
    rows = read_csv(csv(grid))
    entries = [(row, entry) for row in grid.rows for entry in row.entries]
    assert len(rows) == len(entries) == 12
    for line, (row, entry) in zip(rows, entries, strict=True):
        assert line["row"] == row.label
        assert (int(line["n"]), int(line["expected"])) == (
            entry.summary.n if entry.summary else 0,
            entry.expected,
        )
        if entry.summary:
            assert float(line["mean"]) == entry.summary.mean
        if entry.comparison:
            assert float(line["p_holm"]) == entry.comparison.p_holm
            assert line["verdict"] == entry.comparison.verdict


def test_tables_of_different_columns_share_a_csv():
    rows = read_csv(csv([build(*example()), build(*by_heads())]))
    assert {row["heads"] for row in rows if row["title"] == "Scales"} == {""}
    assert {row["heads"] for row in rows if row["title"] == "By heads"} == {"1", "4", "16"}


@pytest.mark.parametrize("width", [40, 60, 80, 100, 140, 200])
@pytest.mark.parametrize("name", ["scales", "heads", "cost"])
def test_a_terminal_table_keeps_to_the_width_and_loses_nothing(name, width):
    grid = grids()[name]
    text = terminal(grid, width)
    assert max(map(cell_len, text.splitlines())) <= width
    assert "…" not in text
    if name == "scales":
        assert len(printed(text.split("\n▼")[0])) == len(expected(read_csv(csv(grid))))


@pytest.mark.parametrize("width", [40, 80, 200])
def test_chinese_labels_keep_to_the_width_and_lose_nothing(width):
    """Two terminal cells a letter, in rows, headers and reasons, and no space to break at."""
    grid = hostile("不缩放的点积注意力，读作一个很长的标签，没有任何空格可以断开")
    text = terminal(grid, width)
    assert max(map(cell_len, text.splitlines())) <= width
    assert "…" not in text
    assert "75k" in text  # parameters, on a narrow terminal in a block of their own
    numbers = printed(terminal(build(*example()), 200).split("\n▼")[0])
    assert sorted(printed(text.split("\n▼")[0])) == sorted(numbers)


def test_a_wide_table_is_split_by_its_outermost_columns():
    text = terminal(build(*by_heads()), 100)
    heads = [line for line in text.splitlines() if line.startswith("dataset")]
    assert [("SST-2" in line, "TREC-6" in line) for line in heads] == [(True, False), (False, True)]
    both = [line for line in terminal(build(*by_heads()), 300).splitlines() if "TREC-6 ─" in line]
    assert all("SST-2 ─" in line for line in both)


def test_color_only_where_asked():
    grid = build(*example())
    assert "\x1b" not in terminal(grid)
    colored = terminal(grid, color=True)
    assert "\x1b[1;31m" in colored  # worse: bold red
    assert re.sub(r"\x1b\[[0-9;]*m", "", colored).split() == terminal(grid).split()


def test_columns_align_in_terminal_cells():
    plain, experiment, records = example(columns=[], where={"dataset": "sst2"})
    rows = [plain["rows"][0] | {"label": "不缩放"}, *plain["rows"][1:]]
    text = terminal(build(plain | {"rows": rows}, experiment, records), 160)
    starts = {
        cell_len(line[: line.index(" ±")])
        for line in text.split("▼ worse")[0].splitlines()
        if " ±" in line
    }
    assert len(starts) == 1


def test_a_terminal_never_obeys_a_label():
    text = terminal(hostile())
    controls = [c for c in text if unicodedata.category(c) == "Cc" and c != "\n"]
    assert controls == []
    assert not set(text) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f")
    assert "[red]r[/]" in " ".join(text.split())  # markup is text
    colored = terminal(hostile(), color=True)
    left = re.sub(r"\x1b\[[0-9;]*m", "", colored)
    assert "\x1b" not in left
    assert "\x9b" not in left


def test_markdown_shows_a_label_as_it_is():
    text = markdown(hostile())
    table = [line for line in text.splitlines() if line.startswith("|")]
    assert len(table) == 2 + 6  # header, rule, rows: no line was broken
    bars = {len(re.findall(r"(?<!\\)(?:\\\\)*\|", line)) for line in table}
    assert bars == {6}  # label, two columns, parameters, source
    assert "<script" not in text
    assert set(re.findall(r"<[^>]*>", text)) == {"<br>"}
    assert "\n- \\- a\\|b" in text  # a note that begins like a list
    assert "\x1b" not in text
    assert re.search(r"(?<!\\)`", text) is None
    assert re.search(r"(?<!\\)\[", text) is None


def test_csv_is_exact_and_safe_only_where_asked():
    assert read_csv(csv(hostile()))[0]["row"] == HOSTILE
    plain, experiment, records = example()
    rows = [plain["rows"][0] | {"label": FORMULA}, *plain["rows"][1:]]
    grid = build(plain | {"rows": rows}, experiment, records)
    assert read_csv(csv(grid))[0]["row"] == FORMULA
    safe = read_csv(csv(grid, safe_spreadsheet=True))[0]
    assert safe["row"] == "'" + FORMULA
    assert safe["difference"].startswith("-0.02")  # a number is no formula


def test_a_lone_surrogate_can_be_written():
    grid = dataclasses.replace(build(*example()), title="a\ud800b")
    for format in FORMATS:
        render([grid], format).encode("utf-8")


def test_numbers_never_print_a_negative_zero():
    quantity = build(*example()).columns[0].quantity
    assert number(-0.0001, quantity, signed=True) == "0.0"
    assert number(-0.0412, quantity, signed=True) == "−4.1"
    assert number(0.0412, quantity, signed=True) == "+4.1"
    assert number(0.0412, quantity) == "4.1"


def test_every_mark_is_explained():
    grid = build(*example())
    text = render([grid], "terminal", caption="full")
    for mark, meaning in grid.legend:
        assert f"{mark} {meaning.split(';')[0]}" in text
    brief = "▼ worse (Holm p < .05) · = equivalent · ? undecided; seeds to decide"
    assert brief in terminal(grid).splitlines()
    marks = {mark for mark, _ in grid.legend}
    assert marks == {"▼", "=", "?"}
