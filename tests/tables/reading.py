"""Each format read back by itself: {label of a row: one cell for each column}.

A cell is (mean, half-width, replicates, difference, its half-width, its mark), as printed with a
plain minus, "" for what is not there; or (state, "", footnote, "", "", "") for a missing number.
CSV and JSON hold full precision and are rounded here.
"""

from __future__ import annotations

import csv
import io
import json
import re
from html.parser import HTMLParser
from typing import Any

from attn_nlp.tables.legend import MARKS

Cells = list[tuple[str, ...]]
MARK_OF = {str(verdict): mark for verdict, mark in MARKS.items()}
STATE_OF = {"not run yet": "–", "without the value": "n/a", "absent": "·"}
_NUMBER = r"[+-]?\d[\d,]*\.\d+"
_COUNT = r"(?: (\(\d+ of \d+\)|\d+ of \d+ \([^)]*\)))?"
_MEAN = re.compile(rf"({_NUMBER})(?: ±({_NUMBER}))?{_COUNT}(?: \[\w\])?$")
_DIFFERENCE = re.compile(rf"({_NUMBER}) ±({_NUMBER}) ([▲▼△▽=]|\?(?: >?\d+)?)$")
_MISSING = re.compile(r"(skipped|failed|diverged|–|n/a|·)(?: \[(\w)\])?$")


def cell(mean: str, difference: str = "") -> tuple[str, ...] | None:
    """A cell from what stands for its mean and its difference; None where that is no number."""
    mean, difference = (" ".join(each.replace("−", "-").split()) for each in (mean, difference))
    missing = _MISSING.match(mean)
    if missing:
        return (missing[1], "", missing[2] or "", "", "", "")
    found = _MEAN.match(mean)
    if found is None:
        return None
    compared = _DIFFERENCE.match(difference)
    assert (compared is None) == (difference in ("", "reference")), difference
    own = tuple(each or "" for each in found.groups())
    return own + (compared.groups() if compared else ("", "", ""))


def terminal(text: str) -> dict[str, Cells]:
    """A table that is wide enough for differences to stand beside their means."""
    rows = {}
    body = re.split(r"^─+$", text, flags=re.M)
    lines = [line for part in body[1:] for line in part.partition("\n\n")[0].splitlines()]
    for line in filter(None, lines):
        label, *parts = re.split(r" {2,}", line.strip().replace("−", "-"))
        cells: Cells = []
        for part in parts:
            # A part with a mark is the difference of the cell before it.
            if _DIFFERENCE.match(part):
                cells[-1] = cells[-1][:3] + _DIFFERENCE.match(part).groups()
            elif (found := cell(part)) is not None:
                cells.append(found)
        rows[label.removesuffix(" (reference)")] = cells
    return rows


def _beside(lines: list[str]) -> list[str]:
    """The lines of a cell with the count of its runs, which has its own, beside the mean."""
    if len(lines) > 1 and re.match(r"\d+ of ", lines[1]):
        mean, _, note = lines[0].partition(" [")
        lines = [f"{mean} {lines[1]}" + (f" [{note}" if note else ""), *lines[2:]]
    return lines


def markdown(text: str) -> dict[str, Cells]:
    """The rows of a pipe table."""
    rows = {}
    for line in [line for line in text.splitlines() if line.startswith("|")][2:]:
        label, *parts = re.sub(r"\\(.)|\*", r"\1", line).strip("| ").split(" | ")
        cells = [cell(*_beside(part.split("<br>"))) for part in parts]
        rows[label.strip("*").removesuffix(" (reference)")] = [each for each in cells if each]
    return rows


class _Rows(HTMLParser):
    """The texts of a table's body: for each row those of its cells, each as its two lines."""

    def __init__(self):
        super().__init__()
        self.rows, self.kind = [], ""

    def handle_starttag(self, tag, attrs):
        kind = dict(attrs).get("class") or ""
        if tag == "tr":
            self.rows.append([])
        elif tag in ("th", "td"):
            self.rows[-1].append([""])
        elif tag == "div" and "attn-difference" in kind:
            self.rows[-1][-1].append("")
        elif tag == "sup":
            self.handle_data(" ")

    def handle_data(self, data):
        if self.rows and self.rows[-1]:
            self.rows[-1][-1][-1] += data


def html(text: str) -> dict[str, Cells]:
    """The rows of the bodies of the first table."""
    parser = _Rows()
    parser.feed(text.partition("</thead>")[2].partition("</table>")[0])
    rows = {}
    for (label,), *parts in parser.rows:
        cells = [cell(*part) for part in parts]
        rows[label.removesuffix(" (reference)")] = [each for each in cells if each]
    return rows


_TEX = [
    (r"\\multicolumn\{\d\}\{\w\}\{(.*)\}$", r"\1"),
    (r"\\textsuperscript\{(\w)\}", r" [\1]"),
    (r"\\math(?:bf|rm)\{([^{}]*(?:\{,\}[^{}]*)*)\}", r"\1"),
    (r"\\pm ", "±"),
    (r"\\blacktriangledown", "▼"),
    (r"\\blacktriangle", "▲"),
    (r"\\triangledown", "▽"),
    (r"\\vartriangle", "△"),
    (r"\\textgreater\{\}", ">"),
    (r"\\cdot", "·"),
    (r"\\textbf\{(.*)\} \(reference\)", r"\1"),
    (r"\{,\}|\$", ""),
    (r"^--$", "–"),
]


def latex(text: str) -> dict[str, Cells]:
    """The rows of the first tabular; what a row has below its label is its second line."""
    body = text.split("\\midrule\n", 1)[1].split("\\bottomrule")[0]
    rows: dict[str, Cells] = {}
    above: list[str] = []
    for line in body.splitlines():
        if not line.endswith(r"\\"):
            above = []
            continue
        parts = [_plain(part) for part in re.split(r"(?<!\\)&", line[:-2])]
        if not above:
            above, below = parts, []
        else:
            below = parts
        rows[above[0]] = [each for each in _cells(above[1:], below[1:]) if each]
    return rows


def _plain(part: str) -> str:
    part = part.strip()
    for pattern, text in _TEX:
        part = re.sub(pattern, text, part)
    return part


def _cells(above: list[str], below: list[str]):
    """Three columns for each number, one for a missing one, which spans them."""
    at = under = 0
    while at < len(above):
        single = _MISSING.match(above[at]) is not None
        mean = " ".join(filter(None, above[at : at + (1 if single else 3)]))
        difference = " ".join(filter(None, below[under : under + 3]))
        yield cell(mean, difference)
        at, under = at + (1 if single else 3), under + 3


def _of_numbers(row: dict[str, Any], scale: float, decimals: int) -> tuple[str, ...]:
    """A cell from numbers in full precision, rounded by Python's own rule."""

    def text(value, sign=""):
        rounded = f"{scale * value:{sign},.{decimals}f}"
        return rounded.lstrip("+-") if float(rounded.replace(",", "")) == 0 else rounded

    def half(low, high):
        return "" if low is None else text((high - low) / 2)

    if row["mean"] is None:
        state = str(row["status"])
        return (STATE_OF.get(state, state), "", row["footnote"], "", "", "")
    own = (text(row["mean"]), half(row["low"], row["high"]), _count(row))
    if row["difference"] is None:
        return (*own, "", "", "")
    mark = " ".join(filter(None, [MARK_OF[row["verdict"]], row["seeds_needed"]]))
    spread = half(row["difference_low"], row["difference_high"])
    return (*own, text(row["difference"], "+"), spread, mark)


def _count(row: dict) -> str:
    """The runs from the counts, written anew: what is printed must be what was counted."""
    if row["n"] == row["expected"]:
        assert not row["runs"]
        return ""
    lost = [f"{row['missing'][each]} {each}" for each in sorted(row["missing"])]
    assert row["n"] + sum(row["missing"].values()) == row["expected"]
    count = f"{row['n']} of {row['expected']}"
    count = (
        f"({count})" if set(row["missing"]) == {"not run yet"} else f"{count} ({', '.join(lost)})"
    )
    assert row["runs"] == count
    return count


def read_csv(text: str, scale: float = 100.0, decimals: int = 1) -> dict[str, Cells]:
    """The lines by row. CSV has no letters for its reasons: those are given in order here."""
    rows: dict[str, Cells] = {}
    letters: dict[str, str] = {}
    for line in csv.DictReader(io.StringIO(text)):
        row: dict = {name: line[name] or None for name in line}
        if line["reason"]:
            letters.setdefault(line["reason"], "abcdefgh"[len(letters)])
        row["footnote"] = letters.get(line["reason"], "")
        for name in ("n", "expected"):
            row[name] = int(line[name])
        names = {"diverged": "diverged", "failed": "failed", "not run yet": "not_run"}
        row["missing"] = {each: int(line[name]) for each, name in names.items() if line[name]}
        for name in ("mean", "low", "high", "difference", "difference_low", "difference_high"):
            row[name] = float(line[name]) if line[name] else None
        rows.setdefault(line["row"], []).append(_of_numbers(row, scale, decimals))
    return rows


def read_json(text: str) -> dict[str, Cells]:
    """The entries of the first table."""
    table = json.loads(text)["tables"][0]
    rows = {}
    for row in table["rows"]:
        cells = []
        for column, entry in zip(table["columns"], row["entries"], strict=True):
            quantity, compared = column["quantity"], entry["comparison"] or {}
            difference = compared.get("difference") or {}
            numbers = {
                **(entry["summary"] or {"mean": None}),
                **{name: entry[name] for name in ("n", "expected", "runs", "missing")},
                "status": entry["state"],
                "footnote": entry["footnote"] or "",
                "difference": difference.get("mean"),
                "difference_low": difference.get("low"),
                "difference_high": difference.get("high"),
                "verdict": compared.get("verdict"),
                "seeds_needed": compared.get("seeds_needed"),
            }
            cells.append(_of_numbers(numbers, quantity["scale"], quantity["decimals"]))
        rows[row["label"]] = cells
    return rows


READERS = {
    "terminal": terminal,
    "markdown": markdown,
    "html": html,
    "latex": latex,
    "csv": read_csv,
    "json": read_json,
}
