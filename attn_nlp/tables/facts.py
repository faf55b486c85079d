"""What is known about the datasets of a table, and what a reader must know about them.

Facts come from the records, so that a table is rebuilt from a store alone. Any key may be absent:
a record from an earlier version says less, and the caption then says less too.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping

from attn_nlp.experiment.data_key import data_key
from attn_nlp.tables.grid import Quantity
from attn_nlp.tables.layout import Layout
from attn_nlp.tables.notes import Note, detail, warning
from attn_nlp.tables.states import (
    State,
    by_reading,
    datas,
    joined,
    plural_span,
    readings_planned,
    span,
    split_values,
    states_met,
    states_of,
)

_FEW = 3  # names that are spelled out
_LEAK = "test in train"


class Facts(dict[str, Mapping]):
    """What is known of every dataset of which a cell has run, by its name in the settings.

    An entry is what a record says of the dataset, and beside it "states", what others say;
    "readings", the ways in which planned cells read it; "counted", sentences that were counted.
    """

    def __init__(self, known: Mapping[str, Mapping], planned: Iterable[str] = ()) -> None:
        """Of known datasets, and the names of all that are planned, so that labels stay theirs."""
        super().__init__(known)
        names = dict.fromkeys([*planned, *known])
        self._own = {name: str(known.get(name, {}).get("label") or _label(name)) for name in names}

    def label(self, name: str) -> str:
        """What a table calls a dataset: its label, or its name where two share a label."""
        label = self._own.get(name) or _label(name)
        return name if list(self._own.values()).count(label) > 1 else label

    def only(self, names: Iterable[str]) -> Facts:
        """The facts of some datasets, by the labels that they have among all."""
        return Facts({name: self[name] for name in names}, self._own)

    def names(self) -> list[str]:
        """The names of all planned datasets, and of the known ones."""
        return list(self._own)


def facts_of(layout: Layout, records: Mapping[str, dict]) -> Facts:
    """The facts of every dataset of which a cell has run, in every state that its cells met."""
    states, readings = states_met(layout, records), readings_planned(layout)
    found = {}
    for name in (each for each in readings if each in states):
        data = states[name][0].data
        sizes = {"test": _tested(layout, name, records)}
        if layout.folded:
            sizes["over folds"] = _over_folds(layout, name, data)
        found[name] = {
            **data,
            "counted": sizes,
            "states": tuple(states[name]),
            "readings": tuple(readings[name]),
        }
    return Facts(found, readings)


def together(several: Iterable[Facts]) -> Facts:
    """The facts of several tables as of one."""
    found: dict[str, dict] = {}
    names: dict[str, None] = {}
    for facts in several:
        names |= dict.fromkeys(facts.names())
        for name, known in facts.items():
            before = found.setdefault(name, {**known, "states": (), "readings": ()})
            for key in ("states", "readings"):
                new = [each for each in known[key] if each not in before[key]]
                before[key] = (*before[key], *new)
    return Facts(found, names)


def _label(name: str) -> str:
    """What a dataset is called before anything of it has run."""
    from attn_nlp.data import SOURCES, shown_name

    source = SOURCES.get(name)
    return (source.label or source.name if source else shown_name(name)) or name


def _tested(layout: Layout, name: str, records: Mapping[str, dict]) -> int:
    """The sentences of test by the confusion of a cell; for records that do not say how many."""
    for place in layout.places.values():
        for cell in place.cells.values() if _has(place.settings, name) else ():
            record = records.get(cell["spec"])
            if record and record.get("data") and str(cell["settings"]["dataset"]) == name:
                return sum(map(sum, record.get("confusion") or []))
    return 0


def _has(settings: Iterable[Mapping], name: str) -> bool:
    return any(str(each["dataset"]) == name for each in settings)


def _over_folds(layout: Layout, name: str, data: Mapping) -> int:
    """Sentences tested over all folds: every one once, or less where some folds are left out."""
    rows = {split: each.get("rows", 0) for split, each in data.get("splits", {}).items()}
    folds = {each["fold"] for each in layout.settings() if str(each["dataset"]) == name}
    # A class with one row keeps it in train in every fold.
    test, every = rows.get("test", 0), sum(rows.values()) - _by_class(data).count(1)
    # Folds differ by a few rows: the whole is known better than ten times one of them.
    return every if test * (len(folds) + 0.5) > every else test * len(folds)


def _by_class(data: Mapping) -> list[int]:
    """Sentences of each class in all splits; nothing where it is not known."""
    counts = [each.get("class_counts") or [] for each in data.get("splits", {}).values()]
    return [sum(of_class) for of_class in zip(*counts, strict=True)] if all(counts) else []


def sentences(facts: Facts, name: str, split: str, settings: Iterable[Mapping] = ()) -> list[int]:
    """How many sentences a split has, by how the rows were cut for some cells, or for any.

    Args:
      facts, name, split: of what.
      settings: of the cells; where none of them has run, or none is given, any cell counts.

    Returns:
      Distinct sizes, ascending; none where nothing of the dataset has run.
    """
    known = facts.get(name, {})
    if split == "test" and known.get("counted", {}).get("over folds"):
        return [known["counted"]["over folds"]]
    cuts, every = set(map(data_key, settings)), states_of(known)
    here: list[State] = [state for state in every if state.rows in cuts] or list(every)
    rows = {size for size in split_values([each.data for each in here], split, "rows") if size}
    counted = known.get("counted", {}).get(split)
    return sorted(rows) or ([counted] if counted else [])


def sizes_of(layout: Layout, column: tuple, facts: Facts, shown: Quantity) -> list[int]:
    """Return the sentences, of each dataset of a column, of the split that a number is of."""
    split = shown.name.split(".")[0]
    by_name: dict[str, list[Mapping]] = {}
    for settings in layout.settings(column):
        by_name.setdefault(str(settings["dataset"]), []).append(settings)
    return [s for name, own in by_name.items() for s in sentences(facts, name, split, own)]


def data_notes(facts: Facts) -> list[Note]:
    """One note for each dataset: sizes and what is wrong with it.

    A warning if test shares texts with train, or if one of them lacks a class of the other.
    """
    notes = []
    for name, known in facts.items():
        label = facts.label(name)
        says, wrong = f"{label}: {_described(known)}.", "; ".join(_wrong(known))
        notes.append(warning(says, f"{label}: {wrong}.") if wrong else detail(says))
    return notes


def _wrong(known: Mapping) -> list[str]:
    return [*class_notes(known), *_repeated(datas(known), (_LEAK,))]


def _described(known: Mapping) -> str:
    every = datas(known)
    rows = {split: split_values(every, split, "rows") for split in _splits(every)}
    sizes = [f"{span(each, '{:,}'.format)} {split}" for split, each in rows.items() if each]
    said = [", ".join(sizes) + " sentences"] if sizes else []
    if any(data.get("real") is False for data in every):
        said.append("generated, not written by people")
    shares = split_values(every, "test", "majority_share")
    if shares:
        said.append(f"largest class {span(shares, '{:.1%}'.format)} of test")
    said += of_readings(known, "truncated", "truncated")
    said += of_readings(known, "empty", "empty, read as one unknown token")
    unknown = joined(by_reading(known, _unknown), "none")
    said += [f"unknown tokens {unknown}"] if unknown else []
    said += column_and_class_notes(known)
    said += _repeated(every)
    said += conflicting(known)
    for key in ("cite", "note"):
        said += dict.fromkeys(
            str(data[key]).rstrip("." * (key == "note")) for data in every if data.get(key)
        )
    return "; ".join(said) or "nothing is known about the data"


def _splits(every: list[Mapping]) -> list[str]:
    return list(dict.fromkeys(split for data in every for split in data.get("splits", {})))


def conflicting(known: Mapping) -> list[str]:
    """How many texts carry two labels."""
    counts = [int(data.get("conflicting_labels") or 0) for data in datas(known)]
    return [f"{plural_span(counts, 'text')} with more than one label"] if any(counts) else []


def of_readings(known: Mapping, key: str, words: str) -> list[str]:
    """ "12 texts truncated (10 train, 2 test)", by how texts were read where that matters."""
    said = joined(by_reading(known, lambda data: _counted(data, key, words)), f"none {words}")
    return [said] if said else []


def _unknown(data: list[Mapping]) -> str:
    rates = {split: split_values(data, split, "unknown_rate") for split in _splits(data)}
    told = [f"{span(r, '{:.1%}'.format)} of {split}" for split, r in rates.items() if any(r)]
    return ", ".join(told)


def column_and_class_notes(known: Mapping) -> list[str]:
    """What of the data's own is not read, and `class_notes`."""
    return _in_each(known, _ignored) + class_notes(known)


def _ignored(data: Mapping) -> list[str]:
    columns = [str(name) for name in data.get("ignored_columns") or []]
    return [f"columns not read: {', '.join(some(columns))}"] if columns else []


def class_notes(known: Mapping) -> list[str]:
    """Classes that a reader may take for others, or that train or test lacks."""
    return _in_each(known, _odd_classes)


def _in_each(known: Mapping, says: Callable[[Mapping], list[str]]) -> list[str]:
    """What is to be said of any state, and of how many folds or carves where not of all."""
    told: dict[str, set] = {}
    states = states_of(known)
    for state in states:
        for text in says(state.data):
            told.setdefault(text, set()).add(state.rows)
    cuts = len({state.rows for state in states})
    return [
        text + ("" if len(of) == cuts else f" (in {len(of)} of {cuts} folds or carves)")
        for text, of in told.items()
    ]


def _odd_classes(data: Mapping) -> list[str]:
    same = [str(names) for names in data.get("look_alike_labels") or []]
    said = [f"classes that look alike: {'; '.join(some(same))}"] if same else []
    missed, absent = untrained(data), unseen(data)
    if missed:
        said.append(f"train has no sentence of {_named(missed)}, which test asks for")
    if absent:
        said.append(f"test has no sentence of {_named(absent)}")
    return said


def untrained(known: Mapping) -> list[str]:
    """The names of classes that stand in test and not in train."""
    return _only(known, "test", "train")


def unseen(known: Mapping) -> list[str]:
    """The names of classes that stand in train and not in test."""
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
    """ "class 'a'", or "4 classes ('a', 'b', 'c' and 1 more)"."""
    if len(names) == 1:
        return f"class {names[0]!r}"
    return f"{len(names):,} classes ({', '.join(some(list(map(repr, names))))})"


def some(names: list[str]) -> list[str]:
    """The first few, and how many more there are."""
    more = len(names) - _FEW
    return names if more < 1 else [*names[:_FEW], f"and {more:,} more"]


def _counted(every: list[Mapping], key: str, words: str) -> str:
    """ "12 texts truncated (10 train, 2 test)", from counts or from shares; "" where none."""
    amounts = {split: split_values(every, split, key) for split in _splits(every)}
    found = {split: each for split, each in amounts.items() if any(each)}
    if not found:
        return ""
    if any(isinstance(amount, float) for each in found.values() for amount in each):
        told = [f"{span(each, '{:.1%}'.format)} of {split}" for split, each in found.items()]
        return f"{words}: {', '.join(told)}"
    inner = ", ".join(f"{span(each, '{:,}'.format)} {split}" for split, each in found.items())
    return f"{plural_span(totals(every, key), 'text')} {words} ({inner})"


def totals(every: list[Mapping], key: str) -> list[int]:
    """What the splits count together, of each state."""
    return [
        sum(int(each.get(key) or 0) for each in data.get("splits", {}).values()) for data in every
    ]


def _repeated(every: list[Mapping], only: Collection[str] = ()) -> list[str]:
    """Texts that occur twice: within a split, and, which matters more, across splits.

    Args:
      only: the places to name; empty for all.
    """
    return [
        f"{plural_span(counts, 'text')} of {place.replace(' in ', ' also in ')}"
        if " in " in place
        else f"{plural_span(counts, 'repeated text')} in {place}"
        for place, counts in repeats(every).items()
        if not only or place in only
    ]


def repeats(every: list[Mapping]) -> dict[str, list[int]]:
    """How many texts occur twice, by where, in each state; only what occurs."""
    places = dict.fromkeys(place for data in every for place in data.get("duplicates", {}))
    counts = {p: [data.get("duplicates", {}).get(p) or 0 for data in every] for p in places}
    return {
        place: each
        for place, each in counts.items()
        if all(isinstance(count, int) for count in each) and any(each)
    }
