"""The states in which the cells of a table met a dataset: how its rows were cut and its texts read.

One name stands for other rows where split_seed or fold varies, and for other tokens where tokens,
vocabulary or length does. What differs between states is said of each of them, never of the first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from attn_nlp.experiment.data_key import READING, data_key, reading_key
from attn_nlp.store.records import Records
from attn_nlp.tables.layout import Layout, plural


@dataclass(frozen=True)
class State:
    """What some cells met.

    Attributes:
      reading, rows: what decides the ids of a text, and the rows of each split; see `data_key`.
      data: what their records say of the dataset.
    """

    reading: tuple
    rows: tuple
    data: Mapping


def states_met(layout: Layout, records: Mapping[str, dict]) -> dict[str, list[State]]:
    """Every distinct state of each dataset of which a cell has run, by its name in the settings."""
    found: dict[str, list[State]] = {}
    seen: set[tuple] = set()
    for place in layout.places.values():
        if isinstance(records, Records):
            of_cells = records.column("data", place.specs)
        else:
            of_cells = [(records.get(spec) or {}).get("data") for spec in place.specs]
        if len(place.settings) == 1:  # these cells differ in nothing but their seed
            once = {id(data): data for data in of_cells}
            pairs = [(place.settings[0], data) for data in once.values()]
        else:
            cells = place.cells.values()
            pairs = [(c["settings"], data) for c, data in zip(cells, of_cells, strict=True)]
        for settings, data in pairs:
            rows, reading = data_key(settings), reading_key(settings)
            if not data or (rows, reading, id(data)) in seen:
                continue
            seen.add((rows, reading, id(data)))
            state, known = State(reading, rows, data), found.setdefault(str(rows[0]), [])
            if state not in known:
                known.append(state)
    return found


def readings_planned(layout: Layout) -> dict[str, list[tuple]]:
    """How the cells of each dataset read its texts, run or not."""
    found: dict[str, dict[tuple, None]] = {}
    for settings in layout.settings():
        found.setdefault(str(settings["dataset"]), {}).setdefault(reading_key(settings))
    return {name: list(each) for name, each in found.items()}


def states_of(known: Mapping) -> Sequence[State]:
    """The states of one dataset, by what is known of it."""
    return known.get("states") or (State((), (), known),)


def datas(known: Mapping) -> list[Mapping]:
    """What the states of one dataset say of it."""
    return [state.data for state in states_of(known)]


def split_values(states: Sequence[Mapping], split: str, key: str) -> list:
    """The values that states give for a split; none where it is not known."""
    found = (data.get("splits", {}).get(split, {}).get(key) for data in states)
    return [value for value in found if value is not None]


def by_reading(known: Mapping, says: Callable[[list[Mapping]], str]) -> list[tuple[str, str]]:
    """What is to be said of each way to read the texts of a dataset, and which way that is.

    Args:
      known: what is known of the dataset.
      says: from the data of one reading, however its rows were cut, to a text.

    Returns:
      (text, where), each text once; where is "" if it holds of every cell, else such as
      "at length 4" or "with tokens char and at length 4".
    """
    states = states_of(known)
    of_reading: dict[tuple, list[Mapping]] = {}
    for state in states:
        of_reading.setdefault(state.reading, []).append(state.data)
    texts = {reading: says(data) for reading, data in of_reading.items()}
    planned = known.get("readings") or list(texts)
    paths = [at for at in range(len(planned[0])) if len({each[at] for each in planned}) > 1]
    whole = set(planned) <= texts.keys()
    for path in list(paths) if whole else ():  # only what this text hangs on is named
        rest = [at for at in paths if at != path]
        told = {(tuple(r[at] for at in rest), text) for r, text in texts.items()}
        if len(told) == len({where for where, _ in told}):
            paths = rest
    places: dict[str, dict[str, None]] = {}
    for reading, text in texts.items():
        where = [_where(READING[at], reading[at]) for at in paths]
        places.setdefault(text, {}).setdefault(" and ".join(where))
    return [(text, ", ".join(where)) for text, where in places.items()]


def _where(path: str, value: object) -> str:
    return f"{'at' if path == 'length' else 'with'} {path} {value}"


def joined(told: Sequence[tuple[str, str]], none: str) -> str:
    """The texts of `by_reading` as one, an empty one as `none`; "" where all are empty.

    Example:
      >>> joined([("3 texts cut", "at length 4"), ("", "at length 64")], "none")
      '3 texts cut at length 4, none at length 64'
    """
    if not any(text for text, _ in told):
        return ""
    first = sorted(told, key=lambda each: not each[0])
    return ", ".join(f"{text or none} {where}".rstrip() for text, where in first)


def span(values: Sequence, words: Callable) -> str:
    """A value in words, or the least and the greatest of several.

    Example:
      >>> span([90, 91, 90], str), span([5], str)
      ('90 to 91', '5')
    """
    low, high = words(min(values)), words(max(values))
    return low if low == high else f"{low} to {high}"


def plural_span(counts: Sequence[int], noun: str) -> str:
    """A count with its noun, or the least and the greatest of several.

    Example:
      >>> plural_span([1, 1], "text"), plural_span([1, 3], "text")
      ('1 text', '1 to 3 texts')
    """
    low, high = min(counts), max(counts)
    return plural(low, noun) if low == high else f"{low:,} to {plural(high, noun)}"
