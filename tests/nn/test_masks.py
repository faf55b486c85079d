"""The laws of masks: who sees whom, symmetry if declared, and the same in any block."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given as drawn
from hypothesis import settings
from hypothesis import strategies as st

from attn_nlp.errors import UserError
from attn_nlp.experiment import Cell
from attn_nlp.nn.context import BlockContext, ForwardContext
from attn_nlp.nn.part_module import PartModule
from attn_nlp.parts import registry
from attn_nlp.parts.selection import choose
from attn_nlp.rng import Stream
from tests.conftest import required
from tests.nn.running import SIZES, names
from tests.nn.whole import HEADS, LENGTH, TOKENS, Block, agree, tokens_mask
from tests.reference import normalizer_softmax, score_dot, spend

PLACES = np.arange(9)
TEXTS = [
    *names("mask"),
    "window(0)",
    "window(5)",
    "strided(1)",
    "strided(3)",
    "strided(4)",
    "global_local(0, 0)",
    "global_local(1, 3)",
    "global_local(2, globals=20)",
]


def shown(text: str, rows=PLACES, columns=PLACES, length: int = 9) -> np.ndarray:
    """(T, S) bool: what a mask shows of these rows and columns."""
    bound = PartModule(choose("mask", text), "mask", SIZES | {"T": length}, Stream(0))
    if not bound.has("allowed"):
        return np.ones((len(rows), len(columns)), bool)
    here = BlockContext(jnp.asarray(rows), jnp.asarray(columns), None, None)
    found = np.asarray(bound.allowed(ForwardContext({}), here))
    assert found.dtype == bool
    return np.broadcast_to(found, (len(rows), len(columns)))


def brute(rule, rows=PLACES, columns=PLACES) -> np.ndarray:
    return np.array([[rule(int(t), int(s)) for s in columns] for t in rows])


def test_a_causal_query_sees_itself_and_what_came_before():
    np.testing.assert_array_equal(shown("causal").sum(axis=1), PLACES + 1)
    np.testing.assert_array_equal(shown("causal"), np.tril(np.ones((9, 9), bool)))


@pytest.mark.parametrize("reach", [0, 1, 3, 8, 50])
def test_a_window_shows_its_neighbors_on_both_sides(reach):
    found = shown(f"window({reach})")
    np.testing.assert_array_equal(found, brute(lambda t, s: -reach <= s - t <= reach))
    assert (found == shown("padding")).all() == (reach >= 8)
    if reach == 0:
        np.testing.assert_array_equal(found, np.eye(9, dtype=bool))


@pytest.mark.parametrize("stride", [1, 2, 3, 4, 8, 50])
def test_a_stride_shows_neighbors_and_every_stride_th(stride):
    found = shown(f"strided({stride})")

    def rule(t, s):
        near = t - stride <= s <= t + stride
        return near or s in range(t, 100, stride) or s in range(t, -100, -stride)

    np.testing.assert_array_equal(found, brute(rule))
    assert found.all() == (stride in (1, 8, 50))


@pytest.mark.parametrize("stride", [2, 3, 4])
def test_two_blocks_of_the_strided_pattern_join_any_two_tokens(stride):
    """Child et al., 2019: with both patterns every key reaches every query along a short path."""
    once = shown(f"strided({stride})").astype(int)
    assert not once.all()
    assert (once @ once > 0).all()


@pytest.mark.parametrize("length", [1, 2, 9, 24, 25, 200])
def test_a_stride_is_the_root_of_the_length_where_none_is_given(length):
    stride = int(length**0.5)
    places = np.arange(30)
    np.testing.assert_array_equal(
        shown("strided", places, places, length), shown(f"strided({stride})", places, places)
    )


@pytest.mark.parametrize(("reach", "first"), [(0, 1), (1, 0), (1, 2), (2, 4), (0, 9), (3, 40)])
def test_the_first_tokens_see_all_and_are_seen_by_all(reach, first):
    found = shown(f"global_local({reach}, {first})")
    np.testing.assert_array_equal(
        found, brute(lambda t, s: abs(t - s) <= reach or min(t, s) < first)
    )
    assert found[:first].all()
    assert found[:, :first].all()
    np.testing.assert_array_equal(found[first:, first:], shown(f"window({reach})")[first:, first:])


@pytest.mark.parametrize("text", TEXTS)
def test_a_mask_is_symmetric_where_claimed_and_only_there(text):
    found = shown(text)
    claimed = registry.find("mask", text.partition("(")[0]).facts["symmetric"]
    assert (found == found.T).all() == claimed
    assert np.diag(found).all()  # no token is left without itself


@pytest.mark.parametrize("text", TEXTS)
@settings(deadline=None, max_examples=15)
@drawn(st.integers(0, 300), st.integers(0, 300))
def test_a_block_shows_what_the_whole_shows(text, row, column):
    rows, columns = row + np.arange(3), column + np.arange(4)
    every = np.arange(304)
    whole = shown(text, every, every)
    np.testing.assert_array_equal(shown(text, rows, columns), whole[np.ix_(rows, columns)])


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("causal", lambda t, s: s <= t),
        ("window(1)", lambda t, s: abs(s - t) <= 1),
        ("strided(2)", lambda t, s: abs(s - t) != 3),
        ("global_local(0, 1)", lambda t, s: s == t or 0 in (s, t)),
        ("causal + window(1)", lambda t, s: t - 1 <= s <= t),
        ("window(1) + causal", lambda t, s: t - 1 <= s <= t),
        ("causal + strided(2)", lambda t, s: s <= t and t - s != 3),
        ("window(2) + strided(1) + window(1)", lambda t, s: abs(s - t) <= 1),
    ],
)
def test_a_block_attends_to_what_is_shown_by_every_mask(text, rule):
    block = Block(attention__mask=text)
    q, k, v = block.split()
    places = np.arange(LENGTH)
    mask = tokens_mask() & brute(rule, places, places)
    weights = normalizer_softmax(score_dot(q, k) * q.shape[-1] ** -0.5, mask)
    agree(block, spend(weights, v), weights)
    # Under a window, padding at place 4 sees no token of a sentence of three: exact zeros.
    blind = np.broadcast_to(~mask.any(axis=-1), weights.shape[:3])
    assert (block.look()[1][blind] == 0).all()


def test_an_oracle_torch_attends_causally_to_the_same():
    torch = required("torch")
    block = Block(attention__mask="causal")
    q, k, v = (torch.tensor(each[:1]) for each in block.split())  # the sentence without padding
    theirs = torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
    assert TOKENS[0].all()
    assert theirs.shape[1] == HEADS
    # Two implementations in float32 and float64, some fifty roundings of 6e-8 apart.
    np.testing.assert_allclose(block.look()[0][:1], block.join(theirs.numpy()), atol=1e-5)


def test_what_is_shown_later_changes_no_earlier_output_under_a_causal_mask():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1, LENGTH, 8))
    other = x.copy()
    other[:, 3:] = rng.normal(size=(1, 2, 8))
    tokens = np.ones((1, LENGTH), bool)
    for text, same in (("causal", True), ("padding", False)):
        block = Block(attention__mask=text)
        before, after = (block.look(each, tokens)[0][:, :3] for each in (x, other))
        assert np.array_equal(before, after) == same


def test_settings_that_make_no_mask_are_rejected():
    for text in ("window(-1)", "strided(0)", "global_local(1, -1)", "window(1.5)"):
        with pytest.raises(UserError, match="allowed: integers >= "):
            choose("mask", text)
    assert Cell().replace({"attention.mask": "causal + window(2)"}).choices
