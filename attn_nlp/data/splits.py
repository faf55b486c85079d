"""Choose validation and test rows if the dataset does not define these splits.

Given clean rows of one to three splits, `three_splits` returns three splits and a sentence on how
each was made. The choice depends only on the rows and `split_seed`, never on a cell's seed, so all
cells of a dataset select on the same validation rows and are evaluated on the same test rows.
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
RESCUE_STREAM = 71  # draws one validation row for each class too small for its share


def normalized(text: str) -> str:
    """Return the text without case and punctuation; one of punctuation alone is unchanged.

    Example:
      >>> normalized("U win: CALL  now!!")
      'u win call now'
    """
    words = re.findall(r"\w+", text.casefold())
    return " ".join(words) or text


def drop_repeats(rows: Rows) -> Rows:
    """Return the rows without repeats: of rows with equal normalized texts, the first is kept."""
    first: dict[str, int] = {}
    for row, text in enumerate(rows.texts):
        first.setdefault(normalized(text), row)
    return rows.take(sorted(first.values()))


def held_out_fold(labels: Sequence[int], fold: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Hold out one fold of a stratified ten-fold division with a fixed seed.

    A class with one row keeps it in train, whatever the fold: if it were held out, a model would be
    tested on a class that it never saw. No fold holds out all rows of any other class.

    Args:
      labels: class number of every row.
      fold: which fold; every row is held out in exactly one, except those of classes with one row.

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
    """Return the number of folds: ten, or the number of rows of the largest class if smaller."""
    return min(FOLDS, int(np.bincount(labels).max()))


def carve(labels: Sequence[int], seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Choose 10% of the train rows as validation, stratified and drawn by seed.

    A class with one row keeps it in train; every other class has at least one row in validation,
    even if its share would be zero.

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
    """Return train, validation and test, taking from train what is not given.

    Args:
      given: clean rows of train, and possibly of validation and test.
      seed: the cell's `split_seed`; has no effect if validation is given.
      dedup: whether to drop train rows whose normalized text occurred before.
      fold: which fold of train becomes test, if test is not given.

    Returns:
      The three splits, the rules by which validation and test were made, and the number of dropped
      rows.
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
                "validation next to train and test; add rows or give validation and test files."
            )
        kept_rows, carved = carve(train.labels, seed)
        rules["validation"] = carve_rule(len(train), len(carved))
        train, validation = train.take(kept_rows.tolist()), train.take(carved.tolist())
    return {"train": train, "validation": validation, "test": test}, rules, dropped


def fold_rule(labels: Sequence[int], fold: int) -> str:
    """Return how a fold of these rows became the test split, as a sentence for a footnote."""
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
    """Return how validation was made, with its true share if small classes raise it above 10%."""
    share = carved / rows
    if round(share, 2) == VALIDATION_SHARE:
        return CARVED
    return CARVED.replace("10% of train", f"{share:.0%} of train ({carved:,} of {rows:,} rows)")
