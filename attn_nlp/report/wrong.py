"""The test sentences that most runs got wrong, by row of the tables.

The store keeps every run's prediction for every test sentence, its confidence, and the right class.
The text of a sentence is in the prepared data alone; if they are not on this machine, its row in
the test split is shown.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from attn_nlp.data import kept_texts
from attn_nlp.experiment.data_key import CUT
from attn_nlp.experiment.planned import RowSpec
from attn_nlp.tables.layout import matches
from attn_nlp.wording import plural

SHOWN, DIVIDED = 10, 5
_LONGEST = 600  # characters of a text that are shown


@dataclass(frozen=True)
class Example:
    """One sentence of a test split.

    Attributes:
      number: its row in the split, from 1.
      text: the sentence, or None if the prepared data are not on this machine.
      label: its class.
      predicted_as: (class, runs) of the wrong predictions, the most frequent first.
      wrong, runs: runs that misclassified it, and runs in all.
      confidence: mean probability that those runs gave to their prediction, or None if not stored.
      by_row: (wrong, runs) by row of the tables; 0 runs if a row did not run on this dataset.
    """

    number: int
    text: str | None
    label: str
    predicted_as: tuple[tuple[str, int], ...]
    wrong: int
    runs: int
    confidence: float | None
    by_row: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Wrong:
    """The hardest sentences of one dataset.

    Attributes:
      dataset: its label, with the settings that differ if two datasets share it.
      language: of its texts, for a screen reader; "" if unknown.
      rows: labels of the rows that ran on it.
      examples: the most often wrong first.
      divided: those on which the rows differ most, the largest difference first.
      notes: sentences on how many were never or always wrong, or on why nothing is shown.
    """

    dataset: str
    language: str
    rows: tuple[str, ...]
    examples: tuple[Example, ...]
    divided: tuple[Example, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Run:
    """One finished cell.

    Attributes:
      settings: by path.
      fingerprint, facts: of its data.
      predictions: the predicted class of each test sentence.
      gold: the right classes; () in a store written before they were kept.
      confidences: the probability of each prediction; () likewise.
    """

    settings: Mapping[str, object]
    fingerprint: str
    facts: Mapping
    predictions: Sequence[int]
    gold: Sequence[int] = ()
    confidences: Sequence[float | None] = ()


def wrong(runs: Sequence[Run], rows: Sequence[RowSpec], folder: Path) -> list[Wrong]:
    """Return the hardest sentences of every dataset that the runs were tested on.

    Args:
      runs: finished cells without baselines.
      rows: {"label", "where"} of the tables.
      folder: where prepared data are kept on this machine.
    """
    by_data: dict[str, list[Run]] = {}
    for run in runs:
        by_data.setdefault(run.fingerprint, []).append(run)
    names = _names([same[0] for same in by_data.values()])
    return [
        _of_one(name, same, rows, fingerprint, folder)
        for name, (fingerprint, same) in zip(names, by_data.items(), strict=True)
    ]


def _names(runs: Sequence[Run]) -> list[str]:
    """Name the test splits of some runs, each by what distinguishes it from the others."""
    labels = [str(run.facts.get("label") or run.settings["dataset"]) for run in runs]
    names = []
    for run, label in zip(runs, labels, strict=True):
        same = [other for other, its in zip(runs, labels, strict=True) if its == label]
        if len({other.settings["dataset"] for other in same}) > 1:
            label = str(run.settings["dataset"])
            same = [other for other in same if other.settings["dataset"] == label]
        differ = [p for p in CUT if len({other.settings.get(p) for other in same}) > 1]
        names.append(", ".join([label, *(f"{path} {run.settings.get(path)}" for path in differ)]))
    return names


def _of_one(
    dataset: str, runs: Sequence[Run], rows: Sequence[RowSpec], fingerprint: str, folder: Path
) -> Wrong:
    facts = runs[0].facts
    language = str(facts.get("language") or "")
    here = [row for row in rows if any(matches(run.settings, row["where"]) for run in runs)]
    labels = tuple(str(row["label"]) for row in here)
    same = [run for run in runs if run.gold and len(run.gold) == len(run.predictions)]
    if not same:
        return Wrong(dataset, language, labels, (), (), (_NO_GOLD,))
    gold = np.array(same[0].gold, dtype=np.int64)  # the same rows have the same classes
    given = np.array([run.predictions for run in same], dtype=np.int64)
    failed = given != gold
    confidences = _confidences(same, len(gold))
    texts = kept_texts(fingerprint, folder)
    by_row = [
        np.array([matches(run.settings, row["where"]) for run in same], dtype=bool) for row in here
    ]
    names = [str(name) for name in facts.get("class_names") or ()]

    def name_of(number: int) -> str:
        return names[number] if number < len(names) else f"class {number}"

    def example(sentence: int) -> Example:
        bad = failed[:, sentence]
        return Example(
            number=sentence + 1,
            text=None if texts is None else shortened(texts[sentence]),
            label=name_of(int(gold[sentence])),
            predicted_as=tuple(
                (name_of(number), count)
                for number, count in Counter(given[bad, sentence].tolist()).most_common()
            ),
            wrong=int(bad.sum()),
            runs=len(same),
            confidence=_mean(confidences[bad, sentence]),
            by_row=tuple((int(bad[of].sum()), int(of.sum())) for of in by_row),
        )

    return Wrong(
        dataset,
        language,
        labels,
        tuple(map(example, _hardest(given, failed, confidences))),
        tuple(map(example, _divided(failed, by_row))),
        tuple(_notes(failed, texts, dataset)),
    )


def _hardest(given: np.ndarray, failed: np.ndarray, confidences: np.ndarray) -> list[int]:
    """Order sentences by how many runs failed, how many of these agree, and their confidence."""
    classes = range(int(given.max(initial=0)) + 1)
    agree = np.max([((given == number) & failed).sum(axis=0) for number in classes], axis=0)
    confidence = np.where(failed, np.nan_to_num(confidences), 0.0).sum(axis=0)
    order = np.lexsort((-confidence, -agree, -failed.sum(axis=0)))
    return [int(sentence) for sentence in order if failed[:, sentence].any()][:SHOWN]


def _divided(failed: np.ndarray, by_row: Sequence[np.ndarray]) -> list[int]:
    """Order sentences by the range of the rows' shares of wrong runs."""
    if len(by_row) < 2:
        return []
    shares = np.array([failed[of].mean(axis=0) for of in by_row])
    apart = shares.max(axis=0) - shares.min(axis=0)
    order = np.argsort(-apart, kind="stable")
    return [int(sentence) for sentence in order if apart[sentence] > 0][:DIVIDED]


def shortened(text: str) -> str:
    """Cut a long text with an ellipsis.

    Example:
      >>> len(shortened("a" * 1000))
      600
    """
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1].rstrip() + "…"


def _confidences(runs: Sequence[Run], sentences: int) -> np.ndarray:
    """Return (runs, sentences) confidences, NaN for runs that stored none."""
    unknown = [math.nan] * sentences
    return np.array(
        [
            [math.nan if value is None else value for value in run.confidences or unknown]
            for run in runs
        ],
        dtype=np.float64,
    )


def _mean(values: np.ndarray) -> float | None:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else None


def _notes(failed: np.ndarray, texts: Sequence[str] | None, dataset: str) -> Iterator[str]:
    runs, sentences = failed.shape
    counts = failed.sum(axis=0)
    never, always = int((counts == 0).sum()), int((counts == runs).sum())
    yield (
        f"Of {plural(sentences, 'test sentence')}, {never:,} were right in every one of "
        f"{plural(runs, 'run')} and {always:,} wrong in every one."
    )
    if texts is None:
        yield (
            f"The prepared data of {dataset} are not on this machine, and a store keeps no text; "
            "row numbers in the test split are shown instead. A report written where the "
            "experiment was run shows the sentences."
        )


_NO_GOLD = (
    "The store was written by a version that did not keep the right class of each test sentence, "
    "so wrong predictions cannot be identified."
)
