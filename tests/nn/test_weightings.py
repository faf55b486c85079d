"""Weightings: how much of a mix is attention, as a number, by head, by feature or by position."""

from __future__ import annotations

import numpy as np
import pytest

from attn_nlp.nn.context import ForwardContext
from attn_nlp.nn.part_module import PartModule
from attn_nlp.parts.selection import choose
from attn_nlp.rng import Stream
from tests.nn.running import SIZES, cases, inputs, names, on_device, ready

CASES = [text for _, text in cases("weighting")]


def share_of(text, given=None, arrays=None) -> np.ndarray:
    (share,) = ready("weighting", text).run(inputs() if given is None else given, arrays)
    return np.asarray(share)


@pytest.mark.parametrize("text", CASES)
def test_a_share_lies_between_nothing_and_all(text):
    share = share_of(text)
    assert ((share >= 0) & (share <= 1)).all()
    assert 0 < share.mean() < 1


@pytest.mark.parametrize("text", names("weighting"))
def test_a_share_is_half_at_the_start(text):
    part = PartModule(choose("weighting", text), "weighting", SIZES, Stream(3))
    call = ForwardContext(part.choice.numeric(SIZES, "weighting"))
    given = on_device(inputs())
    share = part.weigh(call, None, out=given["out"], q_raw=given["q_raw"])
    assert (np.asarray(share) == 0.5).all()


def varies_along(share: np.ndarray) -> list[int]:
    """The axes of (sentence, head, position, feature) along which the share differs."""
    return [axis for axis in range(4) if (np.diff(share, axis=axis) != 0).any()]


def test_what_a_share_may_differ_by():
    assert varies_along(share_of("fixed(0.3)")) == []
    assert varies_along(share_of("learned")) == [1]
    assert varies_along(share_of("per_feature")) == [1, 3]
    assert varies_along(share_of("gated")) == [0, 1, 2]


def test_equal_features_are_one_number_a_head():
    logit = np.array([0.7, -1.3])
    by_feature = share_of("per_feature", arrays={"/logit": np.repeat(logit[:, None], 4, axis=1)})
    np.testing.assert_array_equal(by_feature, share_of("learned", arrays={"/logit": logit}))


def gate(attention, query, bias) -> dict:
    ones = np.ones((2, 4))
    halves = {"/of_attention": attention * ones, "/of_query": query * ones}
    return {**halves, "/bias": np.asarray(bias)}


def test_a_gate_that_reads_nothing_is_one_number_a_head():
    logit = np.array([0.7, -1.3])
    np.testing.assert_allclose(
        share_of("gated", arrays=gate(0.0, 0.0, logit)),
        share_of("learned", arrays={"/logit": logit}),
        rtol=1e-6,
    )


@pytest.mark.parametrize(("name", "sides"), [("out", (1.0, 0.0)), ("q_raw", (0.0, 1.0))])
def test_a_gate_opens_by_the_side_that_it_reads(name, sides):
    given = inputs()
    order = np.argsort(given[name].sum(axis=-1).ravel())
    out, query = sides
    share = share_of("gated", given, gate(out, query, [0.0, 0.0]))[..., 0].ravel()
    assert (np.diff(share[order]) >= 0).all()
    assert share.max() - share.min() > 0.5
    wide = share_of("gated", given, gate(1e4 * out, 1e4 * query, [0.0, 0.0]))
    np.testing.assert_array_equal(wide[..., 0], given[name].sum(axis=-1) > 0)


def test_heads_weigh_apart():
    one, other = gate(0.3, 0.2, [0.0, 0.0]), gate(0.3, 0.2, [0.0, 5.0])
    before, after = (share_of("gated", arrays=each) for each in (one, other))
    np.testing.assert_array_equal(before[:, 0], after[:, 0])
    assert (before[:, 1] < after[:, 1]).all()
