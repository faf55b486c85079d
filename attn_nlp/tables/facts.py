"""What is known about the datasets of a table, and what a reader must know about them.

Facts come from the records, so that a table is rebuilt from a store alone. Any key may be absent:
a record from an earlier version says less, and the caption then says less too.
"""

from __future__ import annotations

from collections.abc import Mapping

from attn_nlp.tables.grid import Quantity
from attn_nlp.tables.layout import Layout, plural

Facts = Mapping[str, Mapping]
_FEW = 3  # names that are spelled out


def facts_of(layout: Layout, records: Mapping[str, dict]) -> Facts:
    """The facts of every dataset of which a cell has run, by its name in the settings."""
    found: dict[str, dict] = {}
    for place in layout.places.values():
        if {str(settings["dataset"]) for settings in place.settings} <= found.keys():
            continue
        for cell in place.cells.values():
            record, name = records.get(cell["spec"]), str(cell["settings"]["dataset"])
            if record is None or name in found or not record.get("data"):
                continue
            sizes = {"test": sum(map(sum, record.get("confusion") or []))}
            if layout.folded:
                sizes["over folds"] = _over_folds(layout, name, record["data"])
            found[name] = {**record["data"], "counted": sizes}
    names = dict.fromkeys(str(settings["dataset"]) for settings in layout.settings())
    return {name: found[name] for name in names if name in found}


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


def label_of(facts: Facts, name: str) -> str:
    """What a table calls a dataset: its label, or its name where two share a label."""
    label = str(facts.get(name, {}).get("label") or name)
    shared = sum(str(each.get("label")) == label for each in facts.values()) > 1
    return name if shared else label


def sentences(facts: Facts, name: str, split: str) -> int | None:
    """How many sentences a split has; None where nothing of the dataset has run."""
    known = facts.get(name, {})
    if split == "test" and known.get("counted", {}).get("over folds"):
        return known["counted"]["over folds"]
    rows = known.get("splits", {}).get(split, {}).get("rows")
    return rows or known.get("counted", {}).get(split) or None


def sizes_of(layout: Layout, column: tuple, facts: Facts, shown: Quantity) -> list[int]:
    """Return the sentences, of each dataset of a column, of the split that a number is of."""
    split = shown.name.split(".")[0]
    names = {str(settings["dataset"]) for settings in layout.settings(column)}
    return [size for name in names if (size := sentences(facts, name, split)) is not None]


def data_notes(facts: Facts) -> list[str]:
    """One line for each dataset: sizes and what is wrong with it."""
    return [f"{label_of(facts, name)}: {_described(known)}." for name, known in facts.items()]


def _described(known: Mapping) -> str:
    splits = known.get("splits", {})
    sizes = [f"{each['rows']:,} {split}" for split, each in splits.items() if "rows" in each]
    said = [", ".join(sizes) + " sentences"] if sizes else []
    if known.get("real") is False:
        said.append("generated, not written by people")
    share = splits.get("test", {}).get("majority_share")
    if share is not None:
        said.append(f"largest class {share:.1%} of test")
    said += _counted(splits, "truncated", "truncated")
    said += _counted(splits, "empty", "empty, read as one unknown token")
    rates = {split: each.get("unknown_rate") for split, each in splits.items()}
    unknown = ", ".join(f"{rate:.1%} of {split}" for split, rate in rates.items() if rate)
    said += [f"unknown tokens {unknown}"] if unknown else []
    said += column_and_class_notes(known)
    said += _repeated(known.get("duplicates", {}))
    if known.get("conflicting_labels"):
        said.append(f"{plural(known['conflicting_labels'], 'text')} with more than one label")
    if known.get("cite"):
        said.append(str(known["cite"]))
    if known.get("note"):
        said.append(str(known["note"]).rstrip("."))
    return "; ".join(said) or "nothing is known about the data"


def column_and_class_notes(known: Mapping) -> list[str]:
    """What of the data's own is not read, and `class_notes`."""
    columns = [str(name) for name in known.get("ignored_columns") or []]
    said = [f"columns not read: {', '.join(_some(columns))}"] if columns else []
    return said + class_notes(known)


def class_notes(known: Mapping) -> list[str]:
    """Classes that a reader may take for others, or that train or test lacks."""
    same = [str(names) for names in known.get("look_alike_labels") or []]
    said = [f"classes that look alike: {'; '.join(_some(same))}"] if same else []
    missed, absent = untrained(known), unseen(known)
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
    return f"{len(names):,} classes ({', '.join(_some(list(map(repr, names))))})"


def _some(names: list[str]) -> list[str]:
    """The first few, and how many more there are."""
    more = len(names) - _FEW
    return names if more < 1 else [*names[:_FEW], f"and {more:,} more"]


def _counted(splits: Mapping, key: str, words: str) -> list[str]:
    """ "12 texts truncated (10 train, 2 test)", from counts or from shares; nothing where none."""
    found = {split: each[key] for split, each in splits.items() if each.get(key)}
    if not found:
        return []
    if any(isinstance(amount, float) for amount in found.values()):
        inner = ", ".join(f"{amount:.1%} of {split}" for split, amount in found.items())
        return [f"{words}: {inner}"]
    inner = ", ".join(f"{amount:,} {split}" for split, amount in found.items())
    return [f"{plural(sum(found.values()), 'text')} {words} ({inner})"]


def _repeated(duplicates: Mapping[str, int]) -> list[str]:
    """Texts that occur twice: within a split, and, which matters more, across splits."""
    return [
        f"{plural(count, 'text')} of {place.replace(' in ', ' also in ')}"
        if " in " in place
        else f"{plural(count, 'repeated text')} in {place}"
        for place, count in duplicates.items()
        if isinstance(count, int) and count
    ]
