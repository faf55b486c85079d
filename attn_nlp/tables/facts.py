"""Facts about the datasets of a table, and the notes that a reader needs about them.

Facts come from the records, so a table can be rebuilt from a store alone. Any key may be absent: a
record from an earlier version holds less, and the caption then says less too.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping

from attn_nlp.experiment.data_key import data_key
from attn_nlp.result.record import Record
from attn_nlp.tables.grid import Quantity
from attn_nlp.tables.layout import Layout
from attn_nlp.tables.notes import Note, detail, warning
from attn_nlp.tables.states import (
    State,
    by_reading,
    datas,
    joined,
    readings_planned,
    split_values,
    states_met,
    states_of,
)
from attn_nlp.wording import plural_span, span

_FEW = 3  # names that are listed before "and 5 more"
_LEAK = "test in train"


class Facts(dict[str, Mapping]):
    """Facts about every dataset with a finished cell, by its name in the settings.

    A value holds the dataset's part of one record and, added to it, "states" (what the records of
    other cells say), "readings" (how planned cells read its texts) and "counted" (numbers of
    sentences).
    """

    def __init__(self, known: Mapping[str, Mapping], planned: Iterable[str] = ()) -> None:
        """Take the known datasets, and the names of all planned ones, which keep labels stable."""
        super().__init__(known)
        names = dict.fromkeys([*planned, *known])
        self._own = {name: str(known.get(name, {}).get("label") or _label(name)) for name in names}

    def label(self, name: str) -> str:
        """Return what a table calls a dataset: its label, or its name if two share a label."""
        label = self._own.get(name) or _label(name)
        return name if list(self._own.values()).count(label) > 1 else label

    def only(self, names: Iterable[str]) -> Facts:
        """Return the facts about some datasets, which keep the labels that they have among all."""
        return Facts({name: self[name] for name in names}, self._own)

    def names(self) -> list[str]:
        """Return the names of all planned and all known datasets."""
        return list(self._own)


def facts_of(layout: Layout, records: Mapping[str, Record]) -> Facts:
    """Return the facts about every dataset with a finished cell, in every state that cells met."""
    states, readings = states_met(layout, records), readings_planned(layout)
    by_name = {}
    for name in (name for name in readings if name in states):
        data = states[name][0].data
        sizes = {"test": _tested(layout, name, records)}
        if layout.folded:
            sizes["over folds"] = _over_folds(layout, name, data)
        by_name[name] = {
            **data,
            "counted": sizes,
            "states": tuple(states[name]),
            "readings": tuple(readings[name]),
        }
    return Facts(by_name, readings)


def together(several: Iterable[Facts]) -> Facts:
    """Merge the facts of several tables."""
    merged: dict[str, dict] = {}
    names: dict[str, None] = {}
    for facts in several:
        names |= dict.fromkeys(facts.names())
        for name, known in facts.items():
            before = merged.setdefault(name, {**known, "states": (), "readings": ()})
            for key in ("states", "readings"):
                new = [value for value in known[key] if value not in before[key]]
                before[key] = (*before[key], *new)
    return Facts(merged, names)


def _label(name: str) -> str:
    """Return what a dataset is called before any cell on it has run."""
    from attn_nlp.data import SOURCES, shown_name

    source = SOURCES.get(name)
    return (source.label or source.name if source else shown_name(name)) or name


def _tested(layout: Layout, name: str, records: Mapping[str, Record]) -> int:
    """Count test sentences by the confusion matrix of a cell, for records that do not say."""
    for planned in layout.entries.values():
        for cell in planned.cells.values() if _has(planned.settings, name) else ():
            record = records.get(cell["spec"])
            if record and record.get("data") and str(cell["settings"]["dataset"]) == name:
                return sum(map(sum, record.get("confusion") or []))
    return 0


def _has(settings: Iterable[Mapping], name: str) -> bool:
    return any(str(cell_settings["dataset"]) == name for cell_settings in settings)


def _over_folds(layout: Layout, name: str, data: Mapping) -> int:
    """Count the sentences tested over all folds: each once, or fewer if folds are left out."""
    rows = {split: of_split.get("rows", 0) for split, of_split in data.get("splits", {}).items()}
    folds = {settings["fold"] for settings in layout.settings() if str(settings["dataset"]) == name}
    # A class with a single row keeps it in train in every fold.
    test, total = rows.get("test", 0), sum(rows.values()) - _by_class(data).count(1)
    # Folds differ by a few rows: the total is more precise than ten times one of them.
    return total if test * (len(folds) + 0.5) > total else test * len(folds)


def _by_class(data: Mapping) -> list[int]:
    """Return the number of sentences of each class in all splits; empty if not known."""
    counts = [of_split.get("class_counts") or [] for of_split in data.get("splits", {}).values()]
    return [sum(of_class) for of_class in zip(*counts, strict=True)] if all(counts) else []


def sentences(facts: Facts, name: str, split: str, settings: Iterable[Mapping] = ()) -> list[int]:
    """Return the number of sentences of a split, for the rows that some cells read.

    Args:
      facts, name, split: the facts, the dataset and its split.
      settings: of the cells; if none of them has run, or none is given, any cell counts.

    Returns:
      Distinct sizes, ascending; empty if no cell on the dataset has run.
    """
    known = facts.get(name, {})
    if split == "test" and known.get("counted", {}).get("over folds"):
        return [known["counted"]["over folds"]]
    cuts, states = set(map(data_key, settings)), states_of(known)
    here: list[State] = [state for state in states if state.rows in cuts] or list(states)
    rows = {size for size in split_values([state.data for state in here], split, "rows") if size}
    counted = known.get("counted", {}).get(split)
    return sorted(rows) or ([counted] if counted else [])


def sizes_of(layout: Layout, column: tuple, facts: Facts, shown: Quantity) -> list[int]:
    """Return the size of each dataset of a column, in sentences of the split that is shown."""
    split = shown.name.split(".")[0]
    by_name: dict[str, list[Mapping]] = {}
    for settings in layout.settings(column):
        by_name.setdefault(str(settings["dataset"]), []).append(settings)
    return [s for name, own in by_name.items() for s in sentences(facts, name, split, own)]


def data_notes(facts: Facts) -> list[Note]:
    """Return one note for each dataset: its sizes, and what is wrong with it.

    The note is a warning if test shares texts with train, or if one lacks a class of the other.
    """
    notes = []
    for name, known in facts.items():
        label = facts.label(name)
        text, wrong = f"{label}: {_described(known)}.", "; ".join(_wrong(known))
        notes.append(warning(text, f"{label}: {wrong}.") if wrong else detail(text))
    return notes


def _wrong(known: Mapping) -> list[str]:
    return [*class_notes(known), *_repeated(datas(known), (_LEAK,))]


def _described(known: Mapping) -> str:
    of_states = datas(known)
    rows = {split: split_values(of_states, split, "rows") for split in _splits(of_states)}
    sizes = [f"{span(counts, '{:,}'.format)} {split}" for split, counts in rows.items() if counts]
    parts = [", ".join(sizes) + " sentences"] if sizes else []
    if any(data.get("real") is False for data in of_states):
        parts.append("generated, not written by people")
    shares = split_values(of_states, "test", "majority_share")
    if shares:
        parts.append(f"largest class {span(shares, '{:.1%}'.format)} of test")
    parts += of_readings(known, "truncated", "truncated")
    parts += of_readings(known, "empty", "empty, read as one unknown token")
    unknown = joined(by_reading(known, _unknown), "none")
    parts += [f"unknown tokens {unknown}"] if unknown else []
    parts += column_and_class_notes(known)
    parts += _repeated(of_states)
    parts += conflicting(known)
    for key in ("cite", "note"):
        parts += dict.fromkeys(
            str(data[key]).rstrip("." * (key == "note")) for data in of_states if data.get(key)
        )
    return "; ".join(parts) or "nothing is known about the data"


def _splits(of_states: list[Mapping]) -> list[str]:
    return list(dict.fromkeys(split for data in of_states for split in data.get("splits", {})))


def conflicting(known: Mapping) -> list[str]:
    """Return how many texts have more than one label, in words; empty if none has."""
    counts = [int(data.get("conflicting_labels") or 0) for data in datas(known)]
    return [f"{plural_span(counts, 'text')} with more than one label"] if any(counts) else []


def of_readings(known: Mapping, key: str, words: str) -> list[str]:
    """Return "12 texts truncated (10 train, 2 test)", by how texts were read if that matters."""
    text = joined(by_reading(known, lambda data: _counted(data, key, words)), f"none {words}")
    return [text] if text else []


def _unknown(data: list[Mapping]) -> str:
    rates = {split: split_values(data, split, "unknown_rate") for split in _splits(data)}
    shares = [f"{span(r, '{:.1%}'.format)} of {split}" for split, r in rates.items() if any(r)]
    return ", ".join(shares)


def column_and_class_notes(known: Mapping) -> list[str]:
    """Return the columns that are not read, and `class_notes`."""
    return _in_each(known, _ignored) + class_notes(known)


def _ignored(data: Mapping) -> list[str]:
    columns = [str(name) for name in data.get("ignored_columns") or []]
    return [f"columns not read: {', '.join(some(columns))}"] if columns else []


def class_notes(known: Mapping) -> list[str]:
    """Return the classes that look alike, and those that train or test lacks, in words."""
    return _in_each(known, _odd_classes)


def _in_each(known: Mapping, texts_of: Callable[[Mapping], list[str]]) -> list[str]:
    """Return what applies to any state, with the number of folds or splits if not to all."""
    cuts_by_text: dict[str, set] = {}
    states = states_of(known)
    for state in states:
        for text in texts_of(state.data):
            cuts_by_text.setdefault(text, set()).add(state.rows)
    cuts = len({state.rows for state in states})
    return [
        text + ("" if len(of) == cuts else f" (in {len(of)} of {cuts} folds or splits)")
        for text, of in cuts_by_text.items()
    ]


def _odd_classes(data: Mapping) -> list[str]:
    same = [str(names) for names in data.get("look_alike_labels") or []]
    texts = [f"classes that look alike: {'; '.join(some(same))}"] if same else []
    missed, absent = untrained(data), unseen(data)
    if missed:
        texts.append(f"train has no sentence of {_named(missed)}, which test contains")
    if absent:
        texts.append(f"test has no sentence of {_named(absent)}")
    return texts


def untrained(known: Mapping) -> list[str]:
    """Return the names of classes that are in test and not in train."""
    return _only(known, "test", "train")


def unseen(known: Mapping) -> list[str]:
    """Return the names of classes that are in train and not in test."""
    return _only(known, "train", "test")


def _only(known: Mapping, there: str, not_there: str) -> list[str]:
    names = list(map(str, known.get("class_names") or []))
    one, other = (
        known.get("splits", {}).get(split, {}).get("class_counts") or []
        for split in (there, not_there)
    )
    if not len(names) == len(one) == len(other):
        return []
    return [name for name, some, more in zip(names, one, other, strict=True) if some and not more]


def _named(names: list[str]) -> str:
    """Return "class 'a'", or "4 classes ('a', 'b', 'c', and 1 more)"."""
    if len(names) == 1:
        return f"class {names[0]!r}"
    return f"{len(names):,} classes ({', '.join(some(list(map(repr, names))))})"


def some(names: list[str]) -> list[str]:
    """Return the first few names, and how many more there are."""
    more = len(names) - _FEW
    return names if more < 1 else [*names[:_FEW], f"and {more:,} more"]


def _counted(of_states: list[Mapping], key: str, words: str) -> str:
    """Return "12 texts truncated (10 train, 2 test)", from counts or from shares; "" for none."""
    amounts = {split: split_values(of_states, split, key) for split in _splits(of_states)}
    present = {split: values for split, values in amounts.items() if any(values)}
    if not present:
        return ""
    if any(isinstance(amount, float) for values in present.values() for amount in values):
        shares = [
            f"{span(values, '{:.1%}'.format)} of {split}" for split, values in present.items()
        ]
        return f"{words}: {', '.join(shares)}"
    inner = ", ".join(f"{span(values, '{:,}'.format)} {split}" for split, values in present.items())
    return f"{plural_span(totals(of_states, key), 'text')} {words} ({inner})"


def totals(of_states: list[Mapping], key: str) -> list[int]:
    """Return the sum over the splits, for each state."""
    return [
        sum(int(of_split.get(key) or 0) for of_split in data.get("splits", {}).values())
        for data in of_states
    ]


def _repeated(of_states: list[Mapping], only: Collection[str] = ()) -> list[str]:
    """Return the texts that occur twice: within a split and, which matters more, across splits.

    Args:
      only: keys of `repeats` to include, such as "test in train"; empty for all.
    """
    return [
        f"{plural_span(counts, 'text')} of {location.replace(' in ', ' also in ')}"
        if " in " in location
        else f"{plural_span(counts, 'repeated text')} in {location}"
        for location, counts in repeats(of_states).items()
        if not only or location in only
    ]


def repeats(of_states: list[Mapping]) -> dict[str, list[int]]:
    """Return how many texts occur twice in each state, by key such as "test in train".

    Keys without any such text are left out.
    """
    locations = dict.fromkeys(
        location for data in of_states for location in data.get("duplicates", {})
    )
    counts = {p: [data.get("duplicates", {}).get(p) or 0 for data in of_states] for p in locations}
    return {
        location: numbers
        for location, numbers in counts.items()
        if all(isinstance(count, int) for count in numbers) and any(numbers)
    }
