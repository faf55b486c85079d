"""Numbers and labels as text, the same in every format that people read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from attn_nlp.stats import Comparison, Verdict
from attn_nlp.tables.grid import MEASURED, PENDING, Entry, Quantity
from attn_nlp.tables.legend import MARKS, STATE_MARKS, seeds_text
from attn_nlp.wording import short_count

MINUS = "−"

SIGNIFICANT = frozenset(
    {Verdict.BETTER, Verdict.WORSE, Verdict.BETTER_WITHIN_MARGIN, Verdict.WORSE_WITHIN_MARGIN}
)


def number(value: float, quantity: Quantity, *, signed: bool = False) -> str:
    """Return a number in the unit of the table, with a true minus sign; never "-0.0".

    Example:
      >>> number(-0.0412, Quantity("test.accuracy", "", scale=100.0), signed=True)
      '−4.1'
    """
    rounded = round(value * quantity.scale, quantity.decimals) + 0.0  # + 0.0: no negative zero
    sign = "+" if signed and rounded > 0 else ""
    return f"{sign}{rounded:,.{quantity.decimals}f}".replace("-", MINUS)


def spread(half_width: float | None, quantity: Quantity) -> str:
    """Return the half-width of an interval, such as "±0.8"; "" if there is none."""
    return "" if half_width is None else "±" + number(half_width, quantity)


def tail(entry: Entry) -> str:
    """Return what follows a mean: "7 of 10 (3 failed) [a]", as far as it applies."""
    return " ".join(filter(None, [count_text(entry), note_text(entry)]))


def note_text(entry: Entry) -> str:
    """Return the letter of the reason below the table, "[a]"; "" for none."""
    return f"[{entry.footnote}]" if entry.footnote else ""


def count_text(entry: Entry) -> str:
    """Return the number of replicates behind a mean, and the state of the others.

    "9 of 10 (1 diverged)", "7 of 10 (2 failed, 1 not run yet)"; "(7 of 10)" if the others have just
    not run yet; "" if none is missing.
    """
    if entry.summary is None or entry.summary.n >= entry.expected:
        return ""
    counted = f"{entry.summary.n} of {entry.expected}"
    return f"{counted} ({missing_text(entry.missing)})" if has_lost(entry) else f"({counted})"


def has_lost(entry: Entry) -> bool:
    """Return True if a mean lacks runs that ended without a number, so its count takes a line."""
    return entry.summary is not None and bool(set(entry.missing) - {PENDING})


def missing_text(missing: Mapping[str, int]) -> str:
    """Return how many runs have no number, by state: "1 diverged, 2 failed"; "" for none."""
    return ", ".join(f"{count} {state}" for state, count in missing.items())


def state_word(entry: Entry) -> str:
    """Return the word that replaces a number: "–", "skipped [a]"."""
    assert entry.state != MEASURED
    word = STATE_MARKS.get(entry.state, entry.state)
    return f"{word} [{entry.footnote}]" if entry.footnote else word


def mark(entry: Entry) -> str:
    """Return the mark of a verdict, with the seeds that a decision would need: "▼", "? 34"."""
    compared = entry.comparison
    return "" if compared is None else MARKS[compared.verdict] + seeds_after(compared)


def seeds_after(compared: Comparison) -> str:
    """Return what follows the mark of an undecided comparison: " 34"; "" for any other."""
    return "" if compared.seeds_needed is None else f" {seeds_text(compared.seeds_needed)}"


def parameters(entries: Iterable[Entry]) -> str:
    """Return the parameters of a row: "41k", or "41k–75k" if columns differ; "" for none."""
    ranges = [entry.parameters for entry in entries if entry.parameters]
    if not ranges:
        return ""
    low = short_count(min(low for low, _ in ranges))
    high = short_count(max(high for _, high in ranges))
    return low if low == high else f"{low}–{high}"
