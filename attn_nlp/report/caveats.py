"""What a reader must know of the data, one entry for each dataset: sizes and blemishes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from attn_nlp.tables.facts import Facts, column_and_class_notes, label_of
from attn_nlp.tables.folds import HELD_OUT
from attn_nlp.tables.layout import plural

SPLITS = ("train", "validation", "test")
_SIZES = (
    ("rows", "sentences", lambda value: f"{value:,}"),
    ("mean_length", "tokens, mean", lambda value: f"{value:.1f}"),
    ("max_length", "tokens, most", lambda value: f"{value:,}"),
    ("majority_share", "largest class", lambda value: f"{value:.1%}"),
    ("unknown_rate", "unknown tokens", lambda value: f"{value:.1%}"),
    ("truncated", "truncated", lambda value: f"{value:,}"),
    ("empty", "empty", lambda value: f"{value:,}"),
)
_PLACES = {
    "test in train": ("test sentence", "also in train"),
    "test in validation": ("test sentence", "also in validation"),
    "validation in train": ("validation sentence", "also in train"),
    "train": ("sentence", "repeated within train"),
    "validation": ("sentence", "repeated within validation"),
    "test": ("sentence", "repeated within test"),
}


@dataclass(frozen=True)
class Dataset:
    """One dataset as a report shows it.

    Attributes:
      label: what it is called.
      sizes: (what, one text for each of `SPLITS`); "" where it is not known.
      caveats: sentences about what is wrong with it, the worst first.
      origin: (what, how) about where it is from and how it was split.
    """

    label: str
    sizes: tuple[tuple[str, tuple[str, ...]], ...]
    caveats: tuple[str, ...]
    origin: tuple[tuple[str, str], ...]


def datasets(facts: Facts, fingerprints: Mapping[str, str]) -> list[Dataset]:
    """The datasets of an experiment, from what the records say of them.

    Args:
      facts: by name in the settings; any key may be absent.
      fingerprints: SHA-256 of the rows by the same name.
    """
    return [
        Dataset(
            label_of(facts, name),
            _sizes(known.get("splits", {})),
            tuple(_caveats(known)),
            tuple(_origin(known, fingerprints.get(name, ""))),
        )
        for name, known in facts.items()
    ]


def _sizes(splits: Mapping) -> tuple[tuple[str, tuple[str, ...]], ...]:
    lines = []
    for key, what, words in _SIZES:
        values = [splits.get(split, {}).get(key) for split in SPLITS]
        if any(value is not None for value in values):
            said = tuple("" if value is None else words(value) for value in values)
            lines.append((what, said))
    return tuple(lines)


def _caveats(known: Mapping) -> Sequence[str]:
    repeated = known.get("duplicates", {})
    said = [
        f"{plural(count, what)} {where}."
        for place, (what, where) in _PLACES.items()
        if (count := repeated.get(place))
    ]
    said += [_sentence(each) for each in column_and_class_notes(known)]
    if str(known.get("test_rule")).startswith(HELD_OUT):
        said.append(_sentence(str(known["test_rule"])))
    if known.get("conflicting_labels"):
        said.append(f"{plural(known['conflicting_labels'], 'text')} with more than one label.")
    if known.get("dropped_duplicates"):
        count = plural(known["dropped_duplicates"], "repeated text")
        said.append(f"{count} left out before the splits were made.")
    cut = sum(int(each.get("truncated") or 0) for each in known.get("splits", {}).values())
    if cut:
        said.append(f"{plural(cut, 'text')} cut off at the longest length that the cells read.")
    if known.get("note"):
        said.append(_sentence(str(known["note"])))
    if known.get("real") is False:
        said.append("Generated, not written by people.")
    return said or ["No repeated text, no conflicting label and no cut text was found."]


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:].rstrip(".") + "."


def _origin(known: Mapping, fingerprint: str) -> Sequence[tuple[str, str]]:
    pairs = (
        ("Source", known.get("source")),
        ("Credit", known.get("cite")),
        ("Licence", known.get("licence")),
        ("Test split", known.get("test_rule")),
        ("Validation split", known.get("validation_rule")),
        ("Fingerprint", fingerprint[:16]),
    )
    return [(what, str(value)) for what, value in pairs if value]
