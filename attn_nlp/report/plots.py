"""The figures of an experiment's results for the page, and why some cannot be drawn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from attn_nlp.experiment import Resolved
from attn_nlp.figures.results import KINDS, Drawn, figures_of, svg_of
from attn_nlp.report.svg import Pictures
from attn_nlp.result.record import Record


@dataclass(frozen=True)
class Plot:
    """One figure: the title of its table, its text for a screen reader, and its SVG."""

    title: str
    says: str
    picture: str


@dataclass(frozen=True)
class Plots:
    """All figures by what they show, and the absent ones with reasons."""

    drawn: tuple[tuple[str, tuple[Plot, ...]], ...]
    absent: tuple[tuple[str, tuple[str, ...]], ...]


def plots(resolved: Resolved, records: Mapping[str, Record], pictures: Pictures) -> Plots:
    """Draw every figure of an experiment.

    Args:
      resolved: the experiment.
      records: by spec, with `figures.results.COLUMNS`.
      pictures: the pictures of the page, which share outlines of characters.
    """
    drawn: dict[str, list[Plot]] = {}
    absent: dict[str, dict[str, None]] = {}
    for made in figures_of(resolved, records):
        shows = KINDS[made.kind].shows
        shows = shows[:1].upper() + shows[1:]
        if isinstance(made, Drawn):
            says = str(made.figure.get_label())
            plot = Plot(made.title, says, pictures.inline(svg_of(made.figure), says))
            drawn.setdefault(shows, []).append(plot)
        else:
            absent.setdefault(shows, {}).setdefault(made.reason)
    return Plots(
        tuple((shows, tuple(found)) for shows, found in drawn.items()),
        tuple((shows, tuple(why)) for shows, why in absent.items() if shows not in drawn),
    )
