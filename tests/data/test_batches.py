"""Batch plans: what they hold, what they may not depend on."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attn_nlp.data import bucket_edges, evaluation_edges, evaluation_plan, training_plan
from attn_nlp.data.batches import BUCKET_PRICE, MOST_BUCKETS, WINDOW

LENGTHS = st.lists(st.integers(1, 60), min_size=1, max_size=80).map(np.array)


def cost(lengths: np.ndarray, edges: tuple[int, ...]) -> float:
    """Padded tokens plus the price of every bucket after the first, by plain loops."""
    padded = sum(min(e for e in edges if e >= n) for n in lengths.tolist())
    return padded + (len(edges) - 1) * BUCKET_PRICE * sum(lengths.tolist())


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 18), min_size=1, max_size=30).map(np.array), st.integers(0, 3))
def test_edges_are_the_cheapest_of_all(lengths, beyond):
    longest = int(lengths.max()) + beyond
    edges = bucket_edges(lengths, longest)
    assert edges[-1] == longest
    assert list(edges) == sorted(set(edges))
    assert all(e % 2 == 0 for e in edges[:-1])
    inner = range(2, longest, 2)
    every = [
        (*chosen, longest)
        for k in range(MOST_BUCKETS)
        for chosen in itertools.combinations(inner, k)
    ]
    assert cost(lengths, edges) == pytest.approx(min(cost(lengths, e) for e in every))


def test_one_length_is_one_bucket_without_padding():
    assert bucket_edges(np.full(100, 13), 13) == (13,)


def test_a_bucket_is_bought_only_where_it_pays():
    assert bucket_edges(np.array([11] * 99 + [12]), 12) == (12,)  # 10 saves nothing
    assert bucket_edges(np.array([4] * 50 + [40] * 50), 40) == (4, 40)


@given(st.lists(st.integers(1, 60), min_size=1, max_size=9, unique=True).map(sorted))
def test_evaluation_has_every_second_edge_and_the_last(edges):
    found = evaluation_edges(tuple(edges))
    assert found[-1] == edges[-1]
    assert [edges.index(each) % 2 for each in found] == [(len(edges) - 1) % 2] * len(found)
    assert len(found) == (len(edges) + 1) // 2


@settings(max_examples=60, deadline=None)
@given(LENGTHS, st.integers(1, 9), st.integers(1, 120), st.integers(1, 120), st.integers(0, 5))
def test_a_longer_training_plan_begins_with_the_shorter(lengths, batch_size, few, more, seed):
    edges = bucket_edges(lengths, int(lengths.max()))
    short = training_plan(lengths, edges, batch_size, few, seed)
    long = training_plan(lengths, edges, batch_size, few + more, seed)
    for a, b in zip(short, long, strict=True):
        np.testing.assert_array_equal(a, b[:few])


@settings(max_examples=60, deadline=None)
@given(LENGTHS, st.integers(1, 9), st.integers(0, 5))
def test_training_batches_fit_their_bucket_and_rows_come_equally_often(lengths, batch_size, seed):
    edges = bucket_edges(lengths, int(lengths.max()))
    rows, bucket = training_plan(lengths, edges, batch_size, WINDOW, seed)
    assert rows.shape == (WINDOW, batch_size)
    assert rows.dtype == bucket.dtype == np.int32
    longest = lengths[rows].max(axis=1)
    for n, b in zip(longest.tolist(), bucket.tolist(), strict=True):
        assert n <= edges[b]
        assert b == 0 or n > edges[b - 1]
    times = np.bincount(rows.reshape(-1), minlength=len(lengths))
    assert times.max() - times.min() <= 1  # a whole window: some epochs and a part of one


def test_every_epoch_is_another_permutation():
    lengths = np.ones(10, dtype=np.int64)
    rows, _ = training_plan(lengths, (1,), 1, 4 * WINDOW, seed=0)
    # Batch order is shuffled within a window of five epochs, so epochs show as counts only.
    for window in rows.reshape(4, -1):
        assert np.bincount(window).tolist() == [5] * 10
    one, other = rows.reshape(4, -1)[:2]
    assert one.tolist() != other.tolist()


def test_the_seed_decides_the_plan():
    lengths = np.arange(1, 101)
    plans = [training_plan(lengths, (100,), 8, 60, seed)[0].tolist() for seed in (0, 0, 1)]
    assert plans[0] == plans[1] != plans[2]


def test_the_seed_draws_which_rows_share_a_batch():
    lengths = np.ones(4 * WINDOW, dtype=np.int64)
    batches = [
        {frozenset(batch) for batch in training_plan(lengths, (1,), 4, WINDOW, seed)[0].tolist()}
        for seed in (0, 1)
    ]
    assert not batches[0] & batches[1]  # 50 of 64 million sets of four


def test_windows_sort_by_length():
    lengths = np.random.default_rng(0).integers(1, 50, size=5_000)
    edges = bucket_edges(lengths, 49)
    rows, bucket = training_plan(lengths, edges, 32, 100, seed=3)
    padded = np.array(edges)[bucket].sum() * 32
    # Lengths uniform on 49 values, a few buckets: 6 tokens of padding for 25; unsorted, 24 for 25.
    assert padded < 1.3 * lengths[rows].sum()
    assert not np.all(np.diff(bucket[:WINDOW]) >= 0)  # but come in mixed order


@pytest.mark.parametrize("piece", [1, 1000, 7000])
def test_a_plan_is_the_same_however_it_is_cut(monkeypatch, piece):
    lengths = np.arange(1, 24, dtype=np.int32)
    whole = training_plan(lengths, (8, 23), 5, 333, 7)
    monkeypatch.setattr("attn_nlp.data.batches.PIECE", piece)
    for one, other in zip(whole, training_plan(lengths, (8, 23), 5, 333, 7), strict=True):
        np.testing.assert_array_equal(one, other, strict=True)


def test_a_plan_stays_what_it_was():
    """Results that are stored were trained on these batches."""
    rows, buckets = training_plan(np.arange(1, 8, dtype=np.int32), (3, 7), 2, 200, 5)
    assert rows[:4].tolist() == [[0, 0], [2, 2], [0, 1], [1, 1]]
    assert rows.sum(axis=0).tolist() == [593, 606]
    assert buckets[:4].tolist() == [0, 0, 0, 0]


def test_no_steps_is_an_empty_plan():
    rows, bucket = training_plan(np.array([3, 4]), (4,), 8, 0, seed=0)
    assert rows.shape == (0, 8)
    assert bucket.shape == (0,)


@settings(max_examples=60, deadline=None)
@given(LENGTHS, st.data(), st.integers(1, 9))
def test_evaluation_sees_each_row_once(lengths, data, batch_size):
    start = data.draw(st.integers(0, len(lengths)))
    stop = data.draw(st.integers(start, len(lengths)))
    edges = bucket_edges(lengths, int(lengths.max()))
    rows, bucket = evaluation_plan(lengths, start, stop, edges, batch_size)
    assert rows.shape == (-(-(stop - start) // batch_size), batch_size)
    seen = rows[rows >= 0]
    assert sorted(seen.tolist()) == list(range(start, stop))
    assert np.all(np.diff(lengths[seen]) >= 0)
    assert (rows < 0).sum() < batch_size
    for batch, b in zip(rows, bucket.tolist(), strict=True):
        longest = lengths[batch[batch >= 0]].max()
        assert longest <= edges[b]
        assert b == 0 or longest > edges[b - 1]
