"""Positions inside attention: they see distances, in the way that each paper says."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attn_nlp.errors import UserError
from attn_nlp.experiment import Cell
from attn_nlp.nn.context import BlockContext, ForwardContext
from attn_nlp.nn.part_module import PartModule
from attn_nlp.parts import registry
from attn_nlp.parts.selection import choose
from attn_nlp.rng import Stream
from tests.conftest import required
from tests.nn.running import inputs, ready, refer, rng_of
from tests.nn.whole import HEADS, LENGTH, WIDTH, Block, X, agree, tokens_mask
from tests.reference.positions import t5_bucket

DIM = WIDTH // HEADS
INSIDE = ["rope", "shaw", "alibi", "t5", "rope(base=20.0)", "shaw(2)", "t5(6, 3)"]


def place(text: str, **sizes: int) -> PartModule:
    """The position of that text at its first values, for these sizes."""
    letters = {"H": 2, "Q": 2, "M": 2, "D": 4, "U": 4, "E": 8, **sizes}
    return PartModule(choose("position", text), "position", letters, Stream(0))


def run(part: PartModule, hook: str, rows, columns, **given):
    here = BlockContext(jnp.asarray(rows), jnp.asarray(columns), None, None)
    call = ForwardContext(part.choice.numeric(part.sizes, "position"))
    return getattr(part, hook)(call, here, **given)


def added(part: PartModule, rows, columns, maps: int | None = None) -> np.ndarray:
    """(M, T, S): what the part adds to logits of zero."""
    shape = (1, maps or part.sizes["M"], len(rows), len(columns))
    return np.asarray(
        run(part, "adjust", rows, columns, logits=jnp.zeros(shape), q=None, seen=None)
    )[0]


@pytest.mark.parametrize("text", INSIDE)
def test_a_block_agrees_with_the_reference(text):
    block = Block(position=text, attention__scale="none")
    (part,) = (slot for slot in block.module.slots if slot.choice.part.slot == "position")
    assert not part.has("embed")
    q, k, v = block.split()
    given = {"x": X, "q": q, "k": k, "v": v, "mask": tokens_mask()}
    agree(block, refer(part, ForwardContext(block.cell.numeric()), given)()[1])


@pytest.mark.parametrize("text", INSIDE)
def test_a_part_of_the_matrix_gets_what_it_gets_in_the_whole(text):
    part, rng = place(text), rng_of("a part of the matrix")
    rows, columns = np.arange(9), np.arange(11)
    q, k = rng.normal(size=(1, 2, 9, 4)), rng.normal(size=(1, 2, 11, 4))
    weights, logits = rng.normal(size=(2, 1, 2, 9, 11))

    def results(t, s):
        at = {"rows": rows[t], "columns": columns[s]}
        some = {"q": jnp.asarray(q[:, :, t]), "k": jnp.asarray(k[:, :, s])}
        if part.has("prepare"):
            yield run(part, "prepare", **at, **some)
        if part.has("relate"):
            yield run(part, "relate", **at, **some)
        if part.has("adjust"):
            more = {"logits": jnp.asarray(logits[:, :, t, s]), "q": some["q"], "seen": None}
            yield run(part, "adjust", **at, **more)
        if part.has("aggregate"):  # sums over keys: of a block, with all others at weight zero
            shown = np.where(np.isin(columns, columns[s]), weights, 0.0)
            whole = {"rows": rows, "columns": columns, "weights": jnp.asarray(shown), "v": None}
            block = {**at, "weights": jnp.asarray(weights[:, :, t, s]), "v": None}
            sums = run(part, "aggregate", **whole), run(part, "aggregate", **block)
            np.testing.assert_allclose(sums[0][:, :, t], sums[1], rtol=1e-5, atol=1e-6)

    t, s = slice(4, 7), slice(3, 11)
    for found, wanted in zip(results(t, s), results(slice(None), slice(None)), strict=True):
        if isinstance(found, tuple):
            wanted, found = (wanted[0][:, :, t], wanted[1][:, :, s]), found
        else:
            wanted, found = (wanted[:, :, t, s],), (found,)
        for each, other in zip(found, wanted, strict=True):
            np.testing.assert_allclose(each, other, rtol=1e-5, atol=1e-6)


def sdpa(torch, q, k, v, bias):
    """Heads' results of torch for the two sentences that have tokens; float64."""
    hidden = np.where(tokens_mask()[:2], bias, -np.inf)
    give = torch.nn.functional.scaled_dot_product_attention
    return give(q[:2], k[:2], v[:2], attn_mask=torch.tensor(hidden)).numpy()


def agree_where_tokens_are(block: Block, out: np.ndarray) -> None:
    # Two programs, each some float32 roundings off at values of about ten.
    np.testing.assert_allclose(block.look()[0][:2], block.join(out), rtol=2e-5, atol=1e-5)
    assert (block.look()[0][2] == 0).all()


def test_oracle_torch_with_linear_biases():
    torch = required("torch")
    block = Block(position="alibi", heads=4, head_dim=3)
    steps = np.abs(np.arange(LENGTH)[None, :] - np.arange(LENGTH)[:, None])
    bias = -np.array([1 / 4, 1 / 16, 1 / 64, 1 / 256])[:, None, None] * steps
    q, k, v = (torch.tensor(each) for each in block.split())
    agree_where_tokens_are(block, sdpa(torch, q, k, v, bias))


def test_oracle_torch_with_bucketed_biases():
    torch = required("torch")
    block = Block(position="t5(8, 4)")
    table, bias = block.own("bias"), np.zeros((HEADS, LENGTH, LENGTH))
    # Written out: four buckets a side, distances 0 and 1, then 2 to sqrt(8), then the rest.
    near = {0: 0, 1: 1, 2: 2, 3: 3, 4: 3}
    for h, t, s in np.ndindex(bias.shape):
        bias[h, t, s] = table[near[abs(s - t)] + (4 if s > t else 0), h]
    q, k, v = (torch.tensor(each) for each in block.split())
    agree_where_tokens_are(block, sdpa(torch, q, k, v, bias))


def test_oracle_torch_turns_complex_numbers():
    torch = required("torch")
    block = Block(position="rope", heads=1, head_dim=6)
    q, k, v = (torch.tensor(each) for each in block.split())
    speed = 1.0 / 10000.0 ** (torch.arange(3, dtype=torch.float64) / 3)
    angle = torch.arange(LENGTH, dtype=torch.float64)[:, None] * speed[None, :]
    turn = torch.polar(torch.ones_like(angle), angle)

    def turned(x):
        number = torch.view_as_complex(x.reshape(*x.shape[:-1], 3, 2).contiguous())
        return torch.view_as_real(number * turn).flatten(-2)

    agree_where_tokens_are(block, sdpa(torch, turned(q), turned(k), v, 0.0))


@given(first=st.integers(0, 100_000), base=st.floats(1.0, 1e6))
@settings(deadline=None, max_examples=15)
def test_rotary_logits_see_distances_only_and_norms_stay(first, base):
    q, k = (inputs()[name][:1] for name in ("q", "k"))
    rows, columns = np.arange(q.shape[2]), np.arange(k.shape[2])
    with jax.enable_x64(True):
        part = place(f"rope(base={base})")
        turned = [
            [
                np.asarray(each)
                for each in run(
                    part, "prepare", rows + n, columns + n, q=jnp.asarray(q), k=jnp.asarray(k)
                )
            ]
            for n in (0, first)
        ]
    logits = [np.einsum("bhtd,bhsd->bhts", *each) for each in turned]
    # An angle of 1e5 is known to 1e-11.
    np.testing.assert_allclose(logits[1], logits[0], atol=1e-8)
    for before, after in zip((q, k), turned[1], strict=True):
        np.testing.assert_allclose(
            np.linalg.norm(after, axis=-1), np.linalg.norm(before, axis=-1), rtol=1e-12
        )
    assert turned[0][0].dtype == np.float64


def test_the_first_pair_turns_by_a_radian_a_token_and_the_last_slowly():
    q = jnp.zeros((1, 2, 5, 4)).at[..., 0].set(1.0).at[..., 2].set(1.0)
    turned, _ = run(place("rope"), "prepare", np.arange(5), np.arange(5), q=q, k=q)
    t = np.arange(5)
    wanted = np.stack([np.cos(t), np.sin(t), np.cos(t / 100), np.sin(t / 100)], axis=-1)
    np.testing.assert_allclose(turned[0, 0], wanted, atol=1e-6)


def test_rotary_positions_need_pairs_of_features():
    with pytest.raises(UserError, match=r"position 'rope' needs head_dim to be a multiple of 2; "
                       r"they are 5 and 2\. Choose head_dim=4 or 6\."):  # fmt: skip
        Cell(position="rope", head_dim=5)
    with pytest.raises(UserError, match=r"Choose head_dim=2\."):
        Cell(position="rope", head_dim=1)
    assert Cell(position="rope", head_dim=6)


def test_relative_positions_of_no_reach_are_the_same_everywhere():
    given = inputs()
    part = ready("position", "shaw(reach=0)")
    plain, out = (np.asarray([*one.run(given)][1]) for one in (ready("position", "none"), part))
    seen = given["mask"].any(axis=-1)[..., None]
    wanted = np.where(seen, part.arrays["/values"][0], 0.0)
    np.testing.assert_allclose(out - plain, np.broadcast_to(wanted, out.shape), atol=1e-5)


def test_relative_positions_are_one_beyond_their_reach():
    part, q = place("shaw(2)"), jnp.ones((1, 2, 9, 4))
    bias = np.asarray(run(part, "relate", np.arange(9), np.arange(9), q=q, k=None))[0, 0]
    by_distance = {n: np.diagonal(bias, n) for n in range(-8, 9)}
    for each in by_distance.values():
        np.testing.assert_allclose(each, each[0], rtol=1e-6)
    value = {n: each[0] for n, each in by_distance.items()}
    assert len({round(float(value[n]), 5) for n in range(-2, 3)}) == 5
    assert all(value[n] == value[2] and value[-n] == value[-2] for n in range(2, 9))


def test_relative_values_want_one_map_a_head(catalogue):
    @registry.score("by_feature", features="D", requires={"U": "D"})
    def by_feature(q, k):
        maps = (q[:, :, :, None, :] * k[:, :, None, :, :]).transpose(0, 1, 4, 2, 3)
        return maps.reshape(maps.shape[0], -1, *maps.shape[3:])

    with pytest.raises(UserError, match=r"position 'shaw' needs attention maps equal to query "
                       r"heads; they are 16 and 4\. Choose another part than attention\.score "
                       r"'by_feature', say 'dot'\."):  # fmt: skip
        Cell(width=16, position="shaw").replace({"attention.score": "by_feature"})
    for text in ("alibi", "t5", "rope"):
        out, weights = Block(position=text, attention__score="by_feature").look()
        assert weights is not None
        assert weights.shape[1] == WIDTH
        assert np.isfinite(out).all()


def test_slopes_halve_from_head_to_head():
    by_one = added(place("alibi", H=8, M=8), np.arange(3), np.arange(3))
    np.testing.assert_array_equal(by_one[:, 0, 1], [-(0.5**h) for h in range(1, 9)])
    np.testing.assert_array_equal(by_one, by_one.swapaxes(1, 2))
    np.testing.assert_array_equal(by_one[:, 0, 2], 2 * by_one[:, 0, 1])
    assert (np.diagonal(by_one, axis1=1, axis2=2) == 0).all()
    three = added(place("alibi", H=3, M=3), [5], [6])[:, 0, 0]
    np.testing.assert_allclose(three, -(2 ** (-8 / 3 * np.arange(1, 4))), rtol=1e-6)


def test_only_linear_biases_read_a_sentence_backward_as_forward():
    for text in ("alibi", "t5", "shaw", "rope"):
        block = Block(position=text)
        there, back = block.look()[0][0], block.look(x=X[:, ::-1])[0][0]
        assert np.allclose(there, back[::-1], atol=1e-5) == (text == "alibi"), text


@pytest.mark.parametrize("text", ["alibi", "t5"])
def test_maps_of_a_head_share_its_biases(text):
    part = place(text)
    one = added(part, np.arange(4), np.arange(5))
    three = added(part, np.arange(4), np.arange(5), maps=6)
    np.testing.assert_array_equal(three, np.repeat(one, 3, axis=0))
    assert (one[0] != one[1]).any()


def buckets_of(distances, buckets: int, farthest: int) -> np.ndarray:
    """The bucket of each distance, read off a table that holds its own rows' numbers."""
    part = place(f"t5({buckets}, {farthest})")
    part.arrays["bias"][...] = jnp.arange(buckets)[:, None] * jnp.ones((1, 2))
    return added(part, [1000], 1000 + np.asarray(distances))[1, 0].astype(int)


@pytest.mark.parametrize(
    ("buckets", "farthest"), [(32, 128), (8, 20), (6, 9), (4, 2), (12, 3), (12, 2), (32, 27)]
)
def test_oracle_buckets_are_those_of_the_paper(buckets, farthest):
    distances = np.arange(-300, 301)
    wanted = [t5_bucket(int(n), buckets, farthest) for n in distances]
    np.testing.assert_array_equal(buckets_of(distances, buckets, farthest), wanted)


def test_where_buckets_begin():
    """With 32 and 128 each second logarithmic bucket doubles the distance: 8 sqrt(2)^j."""
    begins = [0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 23, 32, 46, 64, 91]
    np.testing.assert_array_equal(buckets_of(np.negative(begins), 32, 128), range(16))
    np.testing.assert_array_equal(buckets_of([-n + 1 for n in begins[1:]], 32, 128), range(15))


@given(half=st.integers(2, 40), farthest=st.integers(1, 400))
@settings(deadline=None, max_examples=25)
def test_buckets_rise_with_the_distance_and_mirror_each_other(half, farthest):
    distances = np.arange(500)
    behind = buckets_of(-distances, 2 * half, farthest)
    ahead = buckets_of(distances, 2 * half, farthest)
    assert behind[0] == ahead[0] == 0
    np.testing.assert_array_equal(ahead[1:], behind[1:] + half)
    assert (np.diff(behind) >= 0).all()
    assert behind.max() < half
    assert (behind[farthest:] == behind[-1]).all()


def test_buckets_come_in_two_halves():
    with pytest.raises(UserError, match=r"position 't5\(buckets=7\)' needs buckets to be a multiple"
                       r" of 2; they are 7 and 2\. Choose buckets=6 or 8\."):  # fmt: skip
        Cell(position="t5(buckets=7)")
    with pytest.raises(UserError, match="setting 'buckets' of position 't5' is 2"):
        Cell(position="t5(buckets=2)")


@pytest.mark.parametrize("text", ["rope", "shaw", "alibi", "t5"])
def test_positions_inside_attention_are_rejected_where_there_is_none(text):
    with pytest.raises(UserError, match=f"position '{text}' acts inside pairwise attention"):
        Cell(position=text).replace({"attention.kind": "se_token"})
