"""Which rows are validation and which are test, where the dataset does not say.

In: clean rows of one to three splits. Out: three splits and a sentence on how each came about.
The carve depends on the rows and `split_seed` alone, never on a cell's seed, so that all cells
of a dataset choose on the same validation rows and are judged on the same test rows.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping, Sequence

import numpy as np

from attn_nlp.data.rows import Rows
from attn_nlp.data.source import CARVED, OFFICIAL
from attn_nlp.errors import UserError

VALIDATION_SHARE = 0.1
FOLDS = 10
RESCUE_STREAM = 71  # draws the one validation row of a class too small for its share


def normalized(text: str) -> str:
    """The text without case and punctuation; a text of punctuation alone stays as it is.

    Example:
      >>> normalized("U win: CALL  now!!")
      'u win call now'
    """
    words = re.findall(r"\w+", text.casefold())
    return " ".join(words) or text


def drop_repeats(rows: Rows) -> Rows:
    """The rows whose normalized text has not been seen before; the first of equals stays."""
    first: dict[str, int] = {}
    for row, text in enumerate(rows.texts):
        first.setdefault(normalized(text), row)
    return rows.take(sorted(first.values()))


def held_out_fold(labels: Sequence[int], fold: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Rows kept and rows held out: one fold of a stratified ten-fold division with fixed seed.

    A class with one row keeps it in train, whatever the fold: held out, it would be asked for and
    never shown. Of every other class no fold holds out all rows.

    Args:
      labels: class number of every row.
      fold: which; every row is held out in exactly one, those of classes with one row in none.

    Returns:
      (kept, held out), each ascending. There are `folds_of(labels)` folds.

    Raises:
      UserError: no class has two rows, or there is no such fold.

    References:
      The sets without official test split (MR, Subj, MPQA) are published as means over ten
      unpublished random folds; these folds are the same for whoever draws them.
    """
    from sklearn.model_selection import StratifiedKFold

    folds = folds_of(labels)
    if folds < 2:
        raise UserError(
            f"{len(labels)} rows with no two of one class cannot be split; "
            "add rows or give validation and test files."
        )
    if fold >= folds:
        raise UserError(f"fold {fold} is too large for {folds} folds; choose 0 to {folds - 1}.")
    division = StratifiedKFold(folds, shuffle=True, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a class with fewer rows than folds
        kept, held = list(division.split(np.zeros(len(labels)), labels))[fold]
    lone = np.bincount(labels)[np.asarray(labels)[held]] == 1
    return np.sort(np.concatenate([kept, held[lone]])), np.sort(held[~lone])


def folds_of(labels: Sequence[int]) -> int:
    """How many folds the rows are divided into: ten, or as many as the largest class has rows."""
    return min(FOLDS, int(np.bincount(labels).max()))


def carve(labels: Sequence[int], seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows that stay in train and rows that become validation: 10%, stratified, drawn by seed.

    A class with one row keeps it in train; every other class has at least one row in
    validation, also where its share would be nil.

    Args:
      labels: class number of every row.
      seed: the cell's `split_seed`.

    Returns:
      (train, validation), each ascending, disjoint, together all rows.

    Raises:
      UserError: no class has two rows.
    """
    from sklearn.model_selection import train_test_split

    of = np.asarray(labels)
    counts = np.bincount(of)
    rows = np.flatnonzero(counts[of] >= 2)
    classes = np.unique(of[rows])
    if not len(rows):
        raise UserError(
            f"{len(of)} train rows with no two of one class leave nothing for validation; "
            "add rows or give a validation file."
        )
    size = min(max(round(VALIDATION_SHARE * len(of)), len(classes)), len(rows) - len(classes))
    _, validation = train_test_split(rows, test_size=size, random_state=seed, stratify=of[rows])
    rng = np.random.default_rng([seed, RESCUE_STREAM])
    missing = np.setdiff1d(classes, of[validation])
    rescued = [rng.choice(rows[of[rows] == c]) for c in missing]
    validation = np.sort(np.concatenate([validation, np.array(rescued, dtype=rows.dtype)]))
    return np.setdiff1d(np.arange(len(of)), validation), validation


def three_splits(
    given: Mapping[str, Rows], seed: int, dedup: bool = False, fold: int = 0
) -> tuple[dict[str, Rows], dict[str, str], int]:
    """Train, validation and test, carving from train what is not given.

    Args:
      given: clean rows of train and perhaps of validation and test.
      seed: the cell's `split_seed`; changes nothing where validation is given.
      dedup: first drop train rows whose normalized text was seen before.
      fold: which fold of train is test, where test is not given.

    Returns:
      The three splits, the rule by which validation and test were made, and the number of rows
      dropped.
    """
    train = given["train"]
    dropped = 0
    if dedup:
        dropped = len(train) - len(kept := drop_repeats(train))
        train = kept
    rules = {"validation": OFFICIAL, "test": OFFICIAL}
    test = given.get("test")
    if test is None:
        kept_rows, held_rows = held_out_fold(train.labels, fold)
        rules["test"] = fold_rule(train.labels, fold)
        train, test = train.take(kept_rows.tolist()), train.take(held_rows.tolist())
    validation = given.get("validation")
    if validation is None:
        if test is not given.get("test") and np.bincount(train.labels).max() < 2:
            raise UserError(
                f"{len(train) + len(test)} rows with no three of one class leave nothing for "
                "validation beside train and test; add rows or give validation and test files."
            )
        kept_rows, carved = carve(train.labels, seed)
        rules["validation"] = carve_rule(len(train), len(carved))
        train, validation = train.take(kept_rows.tolist()), train.take(carved.tolist())
    return {"train": train, "validation": validation, "test": test}, rules, dropped


def fold_rule(labels: Sequence[int], fold: int) -> str:
    """How a fold of these rows came to play test, as a sentence for a footnote."""
    folds = folds_of(labels)
    says = f"no official test split: fold {fold} of {folds}, held out from train"
    if folds == FOLDS:
        says += f" (StratifiedKFold({FOLDS}, shuffle, random_state=0))"
    else:
        says += f" ({folds} and not {FOLDS}, since no class has more than {folds} rows)"
    lone = int((np.bincount(labels) == 1).sum())
    if lone:
        rows = "the one row of a class" if lone == 1 else f"the one row of each of {lone} classes"
        says += f"; {rows} stays in train"
    return says


def carve_rule(rows: int, carved: int) -> str:
    """How validation came about; its true share where that is not a tenth, as of small classes."""
    share = carved / rows
    if round(share, 2) == VALIDATION_SHARE:
        return CARVED
    return CARVED.replace("10% of train", f"{share:.0%} of train ({carved:,} of {rows:,} rows)")
