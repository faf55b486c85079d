"""The sizes and the flaws of each dataset, for the reader of a report."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from attn_nlp.tables.caption.folds import HELD_OUT, rules_of
from attn_nlp.tables.facts import (
    Facts,
    column_and_class_notes,
    conflicting,
    repeats,
    some,
    totals,
)
from attn_nlp.tables.states import by_reading, datas, joined, split_values
from attn_nlp.wording import plural_span, span

_LONGEST = " at the longest length that the cells read"
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
_REPEATS = {
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
      label: its name in tables.
      sizes: (what, one text for each of `SPLITS`); "" if unknown.
      caveats: sentences about what is wrong with it, the worst first.
      origin: (what, how) about where it comes from and how it was split.
    """

    label: str
    sizes: tuple[tuple[str, tuple[str, ...]], ...]
    caveats: tuple[str, ...]
    origin: tuple[tuple[str, str], ...]


def datasets(facts: Facts, fingerprints: Mapping[str, Sequence[str]]) -> list[Dataset]:
    """Return the datasets of an experiment, as its records describe them.

    Args:
      facts: by name in the settings; any key may be absent.
      fingerprints: SHA-256 of the rows by the same name, one for each way they were split.
    """
    return [
        Dataset(
            facts.label(name),
            _sizes(known),
            tuple(_caveats(known)),
            tuple(_origin(known, fingerprints.get(name, ()))),
        )
        for name, known in facts.items()
    ]


def _sizes(known: Mapping) -> tuple[tuple[str, tuple[str, ...]], ...]:
    lines = []
    for key, what, words in _SIZES:

        def said(data: list[Mapping], key: str = key, words: Callable = words) -> str:
            values = [split_values(data, split, key) for split in SPLITS]
            return "\n".join(span(known, words) if known else "" for known in values)

        for text, where in by_reading(known, said):
            if text.strip():
                lines.append((f"{what} {where}".rstrip(), tuple(text.split("\n"))))
    return tuple(lines)


def _caveats(known: Mapping) -> Sequence[str]:
    every = datas(known)
    repeated = repeats(every)
    said = [
        f"{plural_span(counts, what)} {where}."
        for split, (what, where) in _REPEATS.items()
        if (counts := repeated.get(split))
    ]
    said += [_sentence(note) for note in column_and_class_notes(known)]
    rules = rules_of(known, "test_rule")
    said += [_sentence(rule) for rule in rules if rule.startswith(HELD_OUT)]
    said += [_sentence(conflict) for conflict in conflicting(known)]
    dropped = [int(data.get("dropped_duplicates") or 0) for data in every]
    if any(dropped):
        count = plural_span(dropped, "repeated text")
        said.append(f"{count} left out before the splits were made.")
    cut = by_reading(known, _cut)
    if any(text for text, _ in cut):
        varied = any(where for _, where in cut)
        said.append(f"{joined(cut, 'none')}{'' if varied else _LONGEST}.")
    notes = dict.fromkeys(str(data["note"]) for data in every if data.get("note"))
    said += [_sentence(note) for note in notes]
    if any(data.get("real") is False for data in every):
        said.append("Generated, not written by people.")
    clean = "No repeated text, no conflicting label and no cut text was found"
    return said or [f"{clean} {', '.join(where for _, where in cut)}".rstrip() + "."]


def _cut(data: list[Mapping]) -> str:
    counts = totals(data, "truncated")
    return f"{plural_span(counts, 'text')} cut off" if any(counts) else ""


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:].rstrip(".") + "."


def _origin(known: Mapping, fingerprints: Sequence[str]) -> Sequence[tuple[str, str]]:
    def every(key: str) -> str:
        return "; ".join(dict.fromkeys(str(d[key]) for d in datas(known) if d.get(key)))

    pairs = (
        ("Source", every("source")),
        ("Credit", every("cite")),
        ("License", every("license")),
        ("Test split", "; ".join(rules_of(known, "test_rule"))),
        ("Validation split", "; ".join(rules_of(known, "validation_rule"))),
        ("Fingerprint", ", ".join(some([digest[:16] for digest in fingerprints]))),
    )
    return [(what, value) for what, value in pairs if value]
