"""A report as one HTML file that works offline and runs nothing but its own script.

The policy in the file forbids a browser to load anything, and allows only the one script and the
one style in the file, by their SHA-256. Every text goes through one filter (`shown`) and is then
escaped by the template engine; ids and classes come from numbers, never from names.
"""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from importlib import resources

from attn_nlp.report.build import Report
from attn_nlp.stats import Verdict
from attn_nlp.tables import Grid, render
from attn_nlp.tables.formats.html import fragment
from attn_nlp.tables.legend import MARKS
from attn_nlp.tables.page import STYLE
from attn_nlp.wording import duration, moment, without_controls

COPIES = ("latex", "markdown", "csv")
_COPY_LABELS = {"latex": "LaTeX", "markdown": "Markdown", "csv": "CSV"}


def page(report: Report) -> str:
    """Return the report as a whole HTML document; the same report gives the same text."""
    import jinja2

    folder = resources.files("attn_nlp.report") / "template"
    style = STYLE + (folder / "page.css").read_text("utf-8")
    script = (folder / "page.js").read_text("utf-8")
    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=shown,
    )
    environment.filters["svg"] = _safe  # drawn by this package, see `svg.py`
    template = environment.from_string((folder / "page.html").read_text("utf-8"))
    return template.render(
        report=report,
        report_sections=contents(report),
        policy=policy(style, script),
        style=_safe(style),
        script=_safe(script),
        table_of=lambda grid, name: _safe(fragment(grid, name)),
        copies=copies,
        verdicts=verdicts,
        moment=moment,
        duration=duration,
    )


def contents(report: Report) -> list[tuple[str, str]]:
    """Return (anchor, title) of the sections that the report has."""
    sections = (
        ("statement", "Question and answer", True),
        ("results", "Results", True),
        ("tuning", "Tuning", bool(report.tunings)),
        ("figures", "Figures", bool(report.plots.drawn or report.plots.absent)),
        ("mechanisms", "Mechanisms", True),
        ("wrong", "Sentences most often wrong", bool(report.wrong)),
        ("data", "Data", bool(report.datasets)),
        ("cost", "Cost", True),
        ("provenance", "Provenance", True),
        ("reproduce", "Reproduce it", True),
    )
    return [(anchor, words) for anchor, words, there in sections if there]


def policy(style: str, script: str) -> str:
    """Return the policy that lets a browser apply this style and run this script, nothing else."""
    return (
        f"default-src 'none'; style-src '{_digest(style)}'; script-src '{_digest(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )


def shown(value: object) -> object:
    """Remove control characters from a text; markup and other values are returned as they are."""
    if not isinstance(value, str) or hasattr(value, "__html__"):
        return value
    return without_controls(value, kept="\n\t")


def copies(grid: Grid) -> list[tuple[str, str]]:
    """Return (format, the table in it) for the copy buttons of a table."""
    return [(_COPY_LABELS[format], render([grid], format)) for format in COPIES]


def verdicts(grid: Grid) -> list[tuple[str, str, int]]:
    """Return (verdict, mark, comparisons) of a table in the order of the legend, if they occur."""
    counts = Counter(_found(grid.rows))
    return [
        (str(verdict), MARKS[verdict], counts[verdict]) for verdict in Verdict if counts[verdict]
    ]


def _safe(text: str) -> object:
    """Mark a text as safe: written by this package, with the user's text escaped."""
    from markupsafe import Markup

    return Markup(text)  # noqa: S704


def _found(rows: Sequence) -> Iterable[Verdict]:
    for row in rows:
        for entry in row.entries:
            if entry.comparison is not None:
                yield entry.comparison.verdict


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
