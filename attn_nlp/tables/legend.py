"""The marks of a table, and the meanings of those that appear in it."""

from __future__ import annotations

from collections.abc import Sequence

from attn_nlp.stats import BEYOND, MOST_SEEDS, Verdict
from attn_nlp.tables.grid import ABSENT, PENDING, WITHOUT, Grid

MARKS = {
    Verdict.BETTER: "▲",
    Verdict.WORSE: "▼",
    Verdict.BETTER_WITHIN_MARGIN: "△",
    Verdict.WORSE_WITHIN_MARGIN: "▽",
    Verdict.EQUIVALENT: "=",
    Verdict.UNDECIDED: "?",
}
STATE_MARKS = {PENDING: "–", WITHOUT: "n/a", ABSENT: "·"}

_MEANINGS = {
    Verdict.BETTER: "better (Holm-adjusted p < .05)",
    Verdict.WORSE: "worse (Holm-adjusted p < .05)",
    Verdict.BETTER_WITHIN_MARGIN: "better, yet within the margin of equivalence",
    Verdict.WORSE_WITHIN_MARGIN: "worse, yet within the margin of equivalence",
    Verdict.EQUIVALENT: "equivalent within the margin",
    Verdict.UNDECIDED: (
        "undecided; the number is about how many seeds the nearest verdict would take, be it "
        f"better, worse, or equivalent, up to {MOST_SEEDS:,}"
    ),
}
_BRIEF = {
    Verdict.BETTER: "better (Holm p < .05)",
    Verdict.WORSE: "worse (Holm p < .05)",
    Verdict.BETTER_WITHIN_MARGIN: "better within the margin",
    Verdict.WORSE_WITHIN_MARGIN: "worse within the margin",
    Verdict.EQUIVALENT: "equivalent",
    Verdict.UNDECIDED: "undecided; seeds to decide",
}
_STATE_MEANINGS = {
    PENDING: "not run yet",
    WITHOUT: "run, but without this number",
    ABSENT: "no such cell in the experiment",
}


def legend(grid: Grid) -> tuple[tuple[str, str], ...]:
    """Return (mark, meaning) for every mark that appears in a table."""
    entries = [entry for row in grid.rows for entry in row.entries]
    verdicts = {entry.comparison.verdict for entry in entries if entry.comparison}
    states = {entry.state for entry in entries}
    return (
        *((MARKS[verdict], _MEANINGS[verdict]) for verdict in MARKS if verdict in verdicts),
        *((STATE_MARKS[state], _STATE_MEANINGS[state]) for state in STATE_MARKS if state in states),
    )


def brief(marks: Sequence[tuple[str, str]]) -> str:
    """Return the legend of a short caption, in one line.

    Args:
      marks: (mark, meaning), as `legend` gives them.

    Example:
      >>> brief([("▲", "better (Holm-adjusted p < .05)"), ("·", "no such cell in the experiment")])
      '▲ better (Holm p < .05) · · no such cell in the experiment'
    """
    shorter = {MARKS[verdict]: words for verdict, words in _BRIEF.items()}
    return " · ".join(f"{mark} {shorter.get(mark, meaning)}" for mark, meaning in marks)


def seeds_text(needed: int) -> str:
    """Return the number of seeds that a decision needs, as a table prints it.

    Example:
      >>> seeds_text(34), seeds_text(1001)
      ('34', '>1000')
    """
    return f">{MOST_SEEDS}" if needed >= BEYOND else str(needed)
