"""The states in which the cells of a table read a dataset: which rows, and how its texts were read.

One name means different rows if split_seed or fold varies, and different tokens if tokens,
vocabulary or length does. Facts that differ between states are stated for each of them, never for
the first alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from attn_nlp.experiment.data_key import READING, data_key, reading_key
from attn_nlp.result.record import Record
from attn_nlp.store.records import Records
from attn_nlp.tables.layout import Layout


@dataclass(frozen=True)
class State:
    """The state in which some cells read a dataset.

    Attributes:
      reading, rows: what decides the ids of a text, and the rows of each split; see `data_key`.
      data: what their records say about the dataset.
    """

    reading: tuple
    rows: tuple
    data: Mapping


def states_met(layout: Layout, records: Mapping[str, Record]) -> dict[str, list[State]]:
    """Return the distinct states of each dataset with a finished cell, by name in the settings."""
    by_name: dict[str, list[State]] = {}
    seen: set[tuple] = set()
    for planned in layout.entries.values():
        if isinstance(records, Records):
            of_cells = records.column("data", planned.specs)
        else:
            of_cells = [(records.get(spec) or {}).get("data") for spec in planned.specs]
        if len(planned.settings) == 1:  # these cells differ only in their seed
            once = {id(data): data for data in of_cells}
            pairs = [(planned.settings[0], data) for data in once.values()]
        else:
            cells = planned.cells.values()
            pairs = [(c["settings"], data) for c, data in zip(cells, of_cells, strict=True)]
        for settings, data in pairs:
            rows, reading = data_key(settings), reading_key(settings)
            if not data or (rows, reading, id(data)) in seen:
                continue
            seen.add((rows, reading, id(data)))
            state, known = State(reading, rows, data), by_name.setdefault(str(rows[0]), [])
            if state not in known:
                known.append(state)
    return by_name


def readings_planned(layout: Layout) -> dict[str, list[tuple]]:
    """Return how the cells of each dataset read its texts, run or not."""
    by_name: dict[str, dict[tuple, None]] = {}
    for settings in layout.settings():
        by_name.setdefault(str(settings["dataset"]), {}).setdefault(reading_key(settings))
    return {name: list(of_name) for name, of_name in by_name.items()}


def states_of(known: Mapping) -> Sequence[State]:
    """Return the states of one dataset, given the facts about it."""
    return known.get("states") or (State((), (), known),)


def datas(known: Mapping) -> list[Mapping]:
    """Return the data of every state of one dataset."""
    return [state.data for state in states_of(known)]


def split_values(states: Sequence[Mapping], split: str, key: str) -> list:
    """Return the values at a key of a split, of the states that have one."""
    values = (data.get("splits", {}).get(split, {}).get(key) for data in states)
    return [value for value in values if value is not None]


def by_reading(known: Mapping, text_of: Callable[[list[Mapping]], str]) -> list[tuple[str, str]]:
    """Return a text for every way in which the texts of a dataset were read.

    Args:
      known: facts about the dataset.
      text_of: a function from the data of one reading, over all its splits, to a text.

    Returns:
      (text, where), each text once; where is "" if it applies to every cell, and otherwise
      such as "at length 4" or "with tokens char and at length 4".
    """
    states = states_of(known)
    of_reading: dict[tuple, list[Mapping]] = {}
    for state in states:
        of_reading.setdefault(state.reading, []).append(state.data)
    texts = {reading: text_of(data) for reading, data in of_reading.items()}
    planned = known.get("readings") or list(texts)
    paths = [at for at in range(len(planned[0])) if len({reading[at] for reading in planned}) > 1]
    whole = set(planned) <= texts.keys()
    for path in list(paths) if whole else ():  # only the settings that change the text are named
        rest = [at for at in paths if at != path]
        distinct = {(tuple(r[at] for at in rest), text) for r, text in texts.items()}
        if len(distinct) == len({where for where, _ in distinct}):
            paths = rest
    by_text: dict[str, dict[str, None]] = {}
    for reading, text in texts.items():
        where = [_where(READING[at], reading[at]) for at in paths]
        by_text.setdefault(text, {}).setdefault(" and ".join(where))
    return [(text, ", ".join(where)) for text, where in by_text.items()]


def _where(path: str, value: object) -> str:
    return f"{'at' if path == 'length' else 'with'} {path} {value}"


def joined(texts: Sequence[tuple[str, str]], none: str) -> str:
    """Join the texts of `by_reading`, an empty one as `none`; "" if all are empty.

    Example:
      >>> joined([("3 texts cut", "at length 4"), ("", "at length 64")], "none")
      '3 texts cut at length 4, none at length 64'
    """
    if not any(text for text, _ in texts):
        return ""
    first = sorted(texts, key=lambda pair: not pair[0])
    return ", ".join(f"{text or none} {where}".rstrip() for text, where in first)
