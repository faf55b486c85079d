"""Plan which rows make up each batch, and to which length each batch is padded.

Given token counts, the functions return plans: plain arrays of row numbers and buckets. A bucket is
one padded length. Each costs a compilation, so there are at most ten, chosen from the dataset
alone. The plan, too, depends only on the dataset and the seed, by a fixed rule, so a result never
depends on the number of steps, the machine, or what else is running. If you change how rows are
batched or padded, results change: raise the revision of the data.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

MOST_BUCKETS = 10
STEP = 2  # edges are multiples of this; the last one is exact
BUCKET_PRICE = 0.008  # share of the real tokens a bucket must save: 1.5 s of compilation
WINDOW = 50  # batches sorted by length together
PIECE = 1 << 20  # rows drawn together: few calls, and 50 MB however many steps there are
ROWS_STREAM, ORDER_STREAM = 1, 2


def bucket_edges(train_lengths: np.ndarray, longest: int) -> tuple[int, ...]:
    """Return the padded lengths that cost least in training.

        cost(e_1 < ... < e_k) = sum_i min{e : e >= n_i} + (k - 1) * BUCKET_PRICE * sum_i n_i

    minimized over e_k = longest, every other edge a multiple of 2, and k <= 10, by dynamic
    programming. The sum counts tokens as if each train row were padded to its own bucket; since
    batches are sorted by length, nearly all are.

    Args:
      train_lengths: (N,) token counts of the train rows, 1 to longest.
      longest: largest token count over all splits.

    Returns:
      Ascending edges; the last is `longest`. Only one if all lengths are equal.

    Example:
      >>> bucket_edges(np.array([13, 13, 13]), 13)
      (13,)
      >>> bucket_edges(np.array([4, 4, 4, 40]), 40)
      (4, 40)
    """
    candidates = np.array([*range(STEP, longest, STEP), longest])
    up_to = np.searchsorted(np.sort(train_lengths), candidates, side="right")  # rows that fit
    # between[i, j]: candidate j as the edge after candidate i
    between = (up_to - up_to[:, None]) * candidates + BUCKET_PRICE * float(train_lengths.sum())
    between[np.tril_indices(len(candidates))] = np.inf
    costs = [up_to * candidates.astype(float)]  # by edges: of all rows that fit j, j an edge
    before = []
    for _ in range(MOST_BUCKETS - 1):
        through = costs[-1][:, None] + between
        before.append(through.argmin(axis=0))
        costs.append(through.min(axis=0))
    number = int(np.argmin([cost[-1] for cost in costs]))
    edges = [len(candidates) - 1]
    for step in range(number - 1, -1, -1):
        edges.append(int(before[step][edges[-1]]))
    return tuple(candidates[edges[::-1]].tolist())


def evaluation_edges(edges: Sequence[int]) -> tuple[int, ...]:
    """Return every second edge, including the last one.

    A tenth of the time is spent on evaluation, on rows sorted by length: there a bucket saves less
    time than compiling it takes.

    Example:
      >>> evaluation_edges((8, 12, 16, 20, 37))
      (8, 16, 37)
    """
    return tuple(edges[::-1][::2][::-1])


def training_plan(
    lengths: np.ndarray, edges: Sequence[int], batch_size: int, steps: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows and the bucket of every training batch, drawn by seed.

    An endless stream of seeded permutations of the train rows, a new one for every epoch, is cut
    into windows of 50 batches. Each window is sorted by length (rows of equal length keep their
    order) and cut into batches, whose order is shuffled. Windows may cross the ends of epochs.

    Args:
      lengths: (N,) token counts of the train rows.
      edges: ascending bucket edges, the last at least the longest length.
      batch_size: rows in a batch; may exceed N, and then rows repeat within a batch.
      steps: number of batches. The first n batches do not depend on it.
      seed: the cell's seed.

    Returns:
      rows (steps, batch_size) int32 into the train split, and bucket (steps,) int32, the
      smallest edge that holds the longest row of the batch.
    """
    rows, longest = np.empty((steps, batch_size), np.int32), np.empty(steps, lengths.dtype)
    drawn = np.random.default_rng([seed, ROWS_STREAM])
    order = np.random.default_rng([seed, ORDER_STREAM])
    pending = np.empty(0, np.int64)
    together = max(1, PIECE // (WINDOW * batch_size))
    for first in range(0, steps, WINDOW * together):
        windows = min(together, -(-(steps - first) // WINDOW))
        wanted = windows * WINDOW * batch_size
        epochs = max(0, -(-(wanted - len(pending)) // len(lengths)))
        # Sorted uniform draws instead of Generator.permutation: they are drawn row by row, so that
        # a longer plan begins with the shorter one however it is cut into pieces, and for many
        # epochs at once, so that tiny datasets are fast.
        fresh = np.argsort(drawn.random((epochs, len(lengths))), axis=1, kind="stable")
        stream = np.concatenate([pending, fresh.reshape(-1)])
        in_windows = stream[:wanted].reshape(windows, WINDOW * batch_size)
        pending = stream[wanted:]
        by_length = np.argsort(lengths[in_windows], axis=1, kind="stable")
        batches = np.take_along_axis(in_windows, by_length, axis=1)
        batches = batches.reshape(windows, WINDOW, batch_size)
        shuffle = np.argsort(order.random((windows, WINDOW)), axis=1, kind="stable")
        shuffled = np.take_along_axis(batches, shuffle[:, :, None], axis=1)
        some = rows[first : first + windows * WINDOW]
        some[:] = shuffled.reshape(-1, batch_size)[: len(some)]
        longest[first : first + len(some)] = lengths[some].max(axis=1, initial=0)
    return rows, smallest_edge(longest, edges)


def evaluation_plan(
    lengths: np.ndarray, start: int, stop: int, edges: Sequence[int], batch_size: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return rows and bucket of every evaluation batch, with each row of [start, stop) once.

    Args:
      lengths: (N,) token counts of all rows.
      start, stop: the split, as in `Prepared.splits`.
      edges: ascending bucket edges.
      batch_size: rows in a batch.

    Returns:
      rows (K, batch_size) int32, absolute row numbers sorted by length, with -1 to fill the last
      batch, and bucket (K,) int32. K = 0 for an empty split.
    """
    order = start + np.argsort(lengths[start:stop], kind="stable")
    batches = -(-len(order) // batch_size)
    rows = np.full(batches * batch_size, -1, dtype=np.int32)
    rows[: len(order)] = order
    rows = rows.reshape(batches, batch_size)
    longest = np.where(rows < 0, 0, lengths[rows]).max(axis=1, initial=0)
    return rows, smallest_edge(longest, edges)


def smallest_edge(longest: np.ndarray, edges: Sequence[int]) -> np.ndarray:
    """Return the index of the smallest edge that is at least each length, (K,) int32."""
    return np.searchsorted(np.asarray(edges), longest, side="left").astype(np.int32)
