"""Generate tasks whose deciding tokens are known, from a fixed seed.

The docstring of each generator states its rule. The rows follow from the rule and the seed, so they
are part of the source: if you change either, raise the revision of the data. Sentences are words
separated by spaces, and position i in `deciding` is word i. All three tasks are balanced over
classes, and no sentence occurs twice.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from attn_nlp.data.rows import Raw
from attn_nlp.data.source import Source

SIZES = {"train": 20_000, "validation": 1_000, "test": 2_000}
GENERATED = "generated apart from train by the same rule"

KEYS, VALUES, PAIRS = 32, 4, 12

FILLERS = tuple(f"w{i:03d}" for i in range(200))
SHORTEST, LONGEST = 8, 40
COLORS = ("blue", "green", "red", "yellow")
KEYWORDS_PER_CLASS = 8

POSITIVE = ("good", "great", "fine", "lovely", "superb", "clever", "funny", "moving")
NEGATIVE = ("bad", "awful", "poor", "ugly", "weak", "silly", "boring", "empty")
NEGATORS = ("not", "never", "hardly", "no")
SCOPE_ENDS = ("but", ",")


def by_split(
    texts: list[str], labels: np.ndarray, deciding: list[tuple[int, ...]], names: tuple[str, ...]
) -> Raw:
    """Distribute rows, in the order in which they were drawn, to the splits in order."""
    assert len(set(texts)) == len(texts), "a planted sentence was drawn twice; change the seed"
    columns: dict[str, tuple[list, list]] = {}
    positions: dict[str, list[tuple[int, ...]]] = {}
    start = 0
    for split, rows in SIZES.items():
        stop = start + rows
        columns[split] = (texts[start:stop], labels[start:stop].tolist())
        positions[split] = deciding[start:stop]
        start = stop
    return Raw(columns, names, "generated", deciding=positions)


def balanced(rng: np.random.Generator, classes: int) -> np.ndarray:
    """Return shuffled class numbers of all splits in order, (N,), balanced in every split."""
    return np.concatenate([rng.permutation(np.arange(n) % classes) for n in SIZES.values()])


def lookup(folder: Path) -> Raw:
    """Find the value that belongs to the asked key.

        sentence = q[a]  k[1]v[x_1]  k[2]v[x_2]  ...  k[12]v[x_12],    label = x_i where k[i] = a

    The first word asks for a key a, one of 32. Twelve pairs follow, each one word of a key and a
    value from 0 to 3, keys distinct, order random; exactly one has the key a. Values are uniform
    and independent, so that no word but the asked pair tells the label. 13 words, 4 classes.
    Deciding: the question and the asked pair.
    """
    rng = np.random.default_rng(20_170_612)
    labels = balanced(rng, VALUES)
    n = len(labels)
    keys = rng.random((n, KEYS)).argsort(axis=1)[:, :PAIRS]
    values = rng.integers(VALUES, size=(n, PAIRS))
    asked = rng.integers(PAIRS, size=n)
    values[np.arange(n), asked] = labels
    questions = keys[np.arange(n), asked]
    texts = [
        " ".join([f"q{q:02d}", *(f"k{k:02d}v{v}" for k, v in zip(ks, vs, strict=True))])
        for q, ks, vs in zip(questions.tolist(), keys.tolist(), values.tolist(), strict=True)
    ]
    deciding = [(0, 1 + i) for i in asked.tolist()]
    return by_split(texts, labels, deciding, tuple(f"v{v}" for v in range(VALUES)))


def keyword(folder: Path) -> Raw:
    """Find the one word that matters.

        sentence = n - 1 fillers and one keyword of class c at a random position,    label = c

    n is uniform on 8 to 40, fillers are uniform on 200 words, and each of the 4 classes has 8
    keywords (`red0` to `red7`), one of which is drawn uniformly. Order does not matter: a bag of
    words solves it. Deciding: the keyword.
    """
    rng = np.random.default_rng(20_140_901)
    labels = balanced(rng, len(COLORS))
    texts, deciding = [], []
    for label in labels.tolist():
        length = int(rng.integers(SHORTEST, LONGEST + 1))
        words = [FILLERS[i] for i in rng.integers(len(FILLERS), size=length)]
        position = int(rng.integers(length))
        words[position] = f"{COLORS[label]}{rng.integers(KEYWORDS_PER_CLASS)}"
        texts.append(" ".join(words))
        deciding.append((position,))
    return by_split(texts, labels, deciding, COLORS)


def negation(folder: Path) -> Raw:
    """Tell a negated judgment from a plain one.

        label = polarity of the judging word, flipped if and only if a negator precedes it
                with no scope end ("but", ",") between them

    Every sentence has 8 to 40 words: fillers, one judging word (8 positive, 8 negative), one scope
    end, and at most one negator, in one of these orders:

        share 1/2   flipped   end .. negator .. judgment,   negator .. judgment .. end
        share 1/6   plain     negator .. end .. judgment
        share 1/6   plain     judgment before the negator, end anywhere
        share 1/6   plain     no negator

    The judging word alone tells nothing (half are flipped); with the presence of a negator the
    label is right 6 times in 10. Only the order decides. Deciding: the judging word and, where it
    flips, the negator.
    """
    rng = np.random.default_rng(20_131_019)
    labels = balanced(rng, 2)
    flipped_orders = ("end neg judge", "neg judge end")
    plain_orders = (
        ("neg end judge",),
        ("end judge neg", "judge end neg", "judge neg end"),
        ("end judge", "judge end"),
    )
    flips = np.concatenate([rng.permutation(np.arange(n) // 2 % 2) for n in SIZES.values()])
    texts, deciding = [], []
    for label, flip in zip(labels.tolist(), flips.tolist(), strict=True):
        orders = flipped_orders if flip else plain_orders[rng.integers(3)]
        order = orders[rng.integers(len(orders))].split()
        length = int(rng.integers(SHORTEST, LONGEST + 1))
        words = [FILLERS[i] for i in rng.integers(len(FILLERS), size=length)]
        positions = np.sort(rng.choice(length, size=len(order), replace=False)).tolist()
        judging = POSITIVE if label ^ flip else NEGATIVE
        vocabulary = {"judge": judging, "neg": NEGATORS, "end": SCOPE_ENDS}
        for position, role in zip(positions, order, strict=True):
            words[position] = vocabulary[role][rng.integers(len(vocabulary[role]))]
        matters = ("neg", "judge") if flip else ("judge",)
        texts.append(" ".join(words))
        deciding.append(tuple(p for p, r in zip(positions, order, strict=True) if r in matters))
    return by_split(texts, labels, deciding, ("negative", "positive"))


def planted(
    name: str,
    label: str,
    make: Callable[[Path], Raw],
    labels: tuple[str, ...],
    note: str,
) -> Source:
    """Return the registry entry of a planted task."""
    return Source(
        name,
        label,
        "synthetic",
        labels=labels,
        validation_rule=GENERATED,
        test_rule=GENERATED,
        license="none needed: generated",
        note=note,
        real=False,
        embedded=True,
        whole_words=True,
        make=make,
    )


PLANTED = (
    planted(
        "planted_lookup",
        "Planted lookup",
        lookup,
        tuple(f"v{v}" for v in range(VALUES)),
        "12 key-value words and a question; attention must find the asked key",
    ),
    planted(
        "planted_keyword",
        "Planted keyword",
        keyword,
        COLORS,
        "one deciding word among fillers; a bag of words solves it",
    ),
    planted(
        "planted_negation",
        "Planted negation",
        negation,
        ("negative", "positive"),
        "one judging word, flipped by a negator in scope; word order decides",
    ),
)
