"""The verdicts that a table could show at best, known before anything runs."""

from __future__ import annotations

from dataclasses import dataclass

from attn_nlp.experiment.planned import TableSpec
from attn_nlp.stats import (
    equivalence_attainable,
    least_attainable,
    seeds_for_equivalence,
    seeds_for_significance,
    significance_attainable,
)
from attn_nlp.tables.layout import Layout, lay_out, replicates
from attn_nlp.wording import plural


@dataclass(frozen=True)
class Attainable:
    """One family of comparisons and the smallest p that it can give.

    Attributes:
      table: title of the table.
      family: the column, or "all columns".
      comparisons: declared comparisons in the family; 0 in a table without a reference.
      over: the paths that count as replicates.
      seeds: pairs of replicates; the fewest if comparisons differ.
      least_p: the smallest p that they can give.
      least_p_holm: the same for the best comparison of the family, after Holm.
      attainable: True if that is below .05.
      seeds_needed: the fewest replicates with which it would be.
    """

    table: str
    family: str
    comparisons: int
    over: tuple[str, ...]
    seeds: int
    least_p: float
    least_p_holm: float
    attainable: bool
    seeds_needed: int

    @property
    def sentence(self) -> str:
        """The sentence that a plan prints."""
        head = f"{self.table} ({self.family}): "
        if not self.comparisons:
            return head + "no reference row, so nothing is compared."
        head += (
            f"{plural(self.comparisons, 'comparison')} over {replicates(self.over, self.seeds)}, "
            f"smallest p {p_text(self.least_p)}, after Holm {p_text(self.least_p_holm)}: "
        )
        fewest = replicates(self.over, self.seeds_needed)
        head += (
            "better and worse are attainable"
            if self.attainable
            else f"neither better nor worse is attainable; that takes at least {fewest}"
        )
        if equivalence_attainable(self.seeds, self.comparisons):
            return head + "."
        fewest = replicates(self.over, seeds_for_equivalence(self.comparisons))
        return f"{head}; nothing can be called equivalent with fewer than {fewest}."


def attainable(resolved) -> list[Attainable]:
    """Return what every family of every table can show, table by table.

    Args:
      resolved: a resolved experiment; none of its cells needs to have run.
    """
    return [
        family
        for table in resolved.tables
        for family in attainable_of(table, lay_out(table, resolved))
    ]


def attainable_of(table: TableSpec, layout: Layout) -> list[Attainable]:
    """Return what the families of one table can show; one empty family if nothing is compared."""
    families = []
    for family in layout.families(table):
        seeds = min(len(layout.pairs(row, column)) for row, column in family)
        column = "all columns" if table["family"] == "table" else _named(table, family[0][1])
        families.append(_attainable(table, column, len(family), seeds))
    return families or [_attainable(table, "all columns", 0, 0)]


def p_text(p: float) -> str:
    """Return a p value to four decimals, without the leading zero.

    Example:
      >>> p_text(0.001953125), p_text(0.0625), p_text(1.0)
      ('.0020', '.0625', '1')
    """
    if p >= 1:
        return "1"
    if p < 0.0001:
        return f"{p:.1e}"
    return f"{p:.4f}".removeprefix("0")


def _attainable(table: TableSpec, family: str, comparisons: int, seeds: int) -> Attainable:
    least = least_attainable(seeds)
    return Attainable(
        table=table["title"],
        family=family,
        comparisons=comparisons,
        over=tuple(table["over"]),
        seeds=seeds,
        least_p=least,
        least_p_holm=min(1.0, comparisons * least),
        attainable=significance_attainable(seeds, comparisons),
        seeds_needed=seeds_for_significance(comparisons) if comparisons else 0,
    )


def _named(table: TableSpec, column: tuple) -> str:
    pairs = zip(table["columns"], column, strict=True)
    return ", ".join(f"{path} {value}" for path, value in pairs) or "all columns"
