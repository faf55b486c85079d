"""The whole encoder: padding and neighbors change nothing; seeds and paths decide its start."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from attn_nlp.experiment import Cell
from attn_nlp.nn.context import ForwardContext
from attn_nlp.nn.encoder import Classifier, build_classifier
from attn_nlp.parts import registry
from attn_nlp.parts.registry import Learned
from tests import reference
from tests.nn.running import cases, rng_of

VOCABULARY, CLASSES, LENGTH = 11, 3, 8
IDS = np.array([[3, 4, 5, 6, 7, 8], [9, 3, 0, 0, 0, 0], [2, 2, 5, 1, 0, 0]])
TINY = Cell(width=8, heads=2, length=LENGTH, dropout=0.0)


def encoder(seed: int = 0, base: Cell = TINY, **settings) -> Any:
    """Return an encoder that also has its cell."""
    cell = base.replace({path.replace("__", "."): value for path, value in settings.items()})
    model: Any = build_classifier(cell, VOCABULARY, CLASSES, seed)
    model.cell = nnx.static(cell)
    return model


def arrays(model: Classifier) -> dict[str, np.ndarray]:
    """All learned arrays by path."""
    flat = nnx.to_flat_state(nnx.state(model, nnx.Param))
    return {"/".join(map(str, path)): np.asarray(array[...]) for path, array in flat}


def shaken(model: Classifier) -> Classifier:
    """The model with every array random, scales and biases too."""
    flat = dict(nnx.to_flat_state(nnx.state(model, nnx.Param)))
    for path, array in flat.items():
        drawn = rng_of("/".join(map(str, path))).normal(size=array[...].shape) * 0.4
        array[...] = jnp.asarray(array[...] + drawn, jnp.float32)
    nnx.update(model, nnx.from_flat_state(flat))
    return model


def class_logits(model: Any, ids) -> np.ndarray:
    return np.asarray(model(jnp.asarray(ids), ForwardContext(model.cell.numeric())))


def bags_agree(position: str) -> bool:
    """Tell whether a sentence with its tokens in another order gets the same class logits."""
    model = encoder(position=position)
    moved = IDS[:1, [2, 0, 5, 1, 3, 4]]  # not merely backward, which symmetric biases allow
    return np.allclose(class_logits(model, IDS[:1]), class_logits(model, moved), atol=1e-5)


SETTINGS = [
    *({f"attention__{slot}": text} for slot, text in cases("score", "normalizer", "mixer", "kind")),
    *({slot: text} for slot, text in cases("position", "pooling")),
    {"attention__scale": "learned"},
    {"norm": "post"},
    {"attention__tie_qk": True, "attention__projection_bias": True},
]
CASES = [pytest.param(each, id=" ".join(map(str, each.values()))) for each in SETTINGS]


@pytest.mark.parametrize("settings", CASES)
def test_more_padding_and_other_sentences_change_no_class_logit(settings):
    model = shaken(encoder(**settings))
    together = class_logits(model, IDS)
    assert np.isfinite(together).all()
    wider = class_logits(model, np.pad(IDS, ((0, 0), (0, 2))))
    alone = class_logits(model, IDS[1:2, :2])
    # The same numbers are summed in groups of another size: a few roundings of 6e-8, at numbers
    # of about ten, through one block.
    np.testing.assert_allclose(wider, together, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(alone[0], together[1], rtol=1e-5, atol=1e-5)


def test_a_batch_is_read_row_by_row():
    model = shaken(encoder(layers=2))
    order = [2, 0, 1]
    np.testing.assert_allclose(
        class_logits(model, IDS[order]), class_logits(model, IDS)[order], rtol=1e-5, atol=1e-5
    )


def test_a_sentence_of_padding_gives_the_head_of_zeros():
    model = shaken(encoder())
    found = class_logits(model, np.zeros((1, 4), int))[0]
    np.testing.assert_allclose(found, arrays(model)["head/bias"], rtol=1e-6)


@pytest.mark.parametrize("position", ["none", "sinusoidal"])
def test_the_order_of_tokens_counts_only_with_positions(position):
    assert bags_agree(position) == (position == "none")


@pytest.mark.parametrize("norm", ["pre", "post"])
@pytest.mark.parametrize(("text", "scale"), [("rsqrt_dim", 0.5), ("constant(0.3)", 0.3)])
def test_the_whole_pass_agrees_with_numpy(norm, text, scale):
    model = shaken(encoder(norm=norm, layers=2, attention__scale=text))
    params = jax.tree.map(
        lambda leaf: np.asarray(leaf, np.float64), nnx.to_pure_dict(nnx.state(model, nnx.Param))
    )
    wanted = reference.encoder(params, IDS, heads=2, norm=norm, scale=scale)
    # Some hundred float32 roundings through two blocks.
    np.testing.assert_allclose(class_logits(model, IDS), wanted, rtol=1e-4, atol=2e-5)


def test_query_mix_with_everything_on_attention_is_the_heads():
    plain = class_logits(shaken(encoder()), IDS)
    mixed = class_logits(shaken(encoder(attention__mixer="query_mix('fixed(1.0)')")), IDS)
    np.testing.assert_array_equal(plain, mixed)


def test_query_mix_with_everything_on_the_query_looks_at_no_other_token():
    """Pooled at the first token, one block: nothing of the others may arrive there."""
    model = shaken(encoder(attention__mixer="query_mix('fixed(0.0)')", pooling="first"))
    other = IDS.copy()
    other[0, 1:] = 9
    found, changed = class_logits(model, IDS), class_logits(model, other)
    np.testing.assert_allclose(found[0], changed[0], atol=1e-6)
    assert not np.allclose(class_logits(shaken(encoder(pooling="first")), other)[0], changed[0])


@pytest.mark.parametrize(
    ("settings", "added", "changed"),
    [
        ({"attention__score": "bilinear"}, {"form"}, set()),
        ({"attention__score": "additive"}, {"direction"}, set()),
        ({"attention__scale": "learned"}, {"factors"}, set()),
        ({"attention__mixer": "query_mix"}, {"logit"}, set()),
        ({"attention__normalizer": "sparsemax"}, set(), set()),
        ({"attention__projection_bias": True}, {"/bias"}, set()),
        ({"position": "learned"}, {"table"}, set()),
        ({"pooling": "se_token"}, {"pool/"}, set()),
        ({"attention__init": "xavier", "head_dim": 8}, set(), {"project"}),
        ({"head_dim": 6, "value_dim": 4}, set(), {"project/query/kernel", "project/key/kernel"}),
        ({"layers": 2}, {"blocks/1"}, set()),
        ({"norm": "post"}, set(), set()),
    ],
    ids=lambda each: str(sorted(each)),
)
def test_more_arrays_leave_all_other_first_values_bit_equal(settings, added, changed):
    before, after = arrays(encoder(seed=5)), arrays(encoder(seed=5, **settings))
    for path in sorted(before.keys() & after.keys()):
        if not any(piece in path for piece in changed):
            np.testing.assert_array_equal(before[path], after[path], err_msg=path)
    fresh = after.keys() - before.keys()
    assert all(any(piece in path for piece in added) for path in fresh), fresh
    assert bool(fresh) == bool(added)


def test_each_block_and_seed_starts_elsewhere():
    one, two = arrays(encoder(layers=2)), arrays(encoder(seed=1, layers=2))
    drawn = [path for path in one if path.endswith("kernel")]
    values = [each[path].tobytes() for each in (one, two) for path in drawn]
    assert len(set(values)) == len(values)


def test_shapes_follow_the_letters():
    model = arrays(encoder(width=6, heads=3, head_dim=5, value_dim=2, hidden=7))
    shapes = {path: array.shape for path, array in model.items()}
    block = "body/encoder/blocks/0/attention/project"
    assert shapes[f"{block}/query/kernel"] == shapes[f"{block}/key/kernel"] == (6, 15)
    assert shapes[f"{block}/value/kernel"] == (6, 6)
    assert shapes[f"{block}/output/kernel"] == (6, 6)
    assert shapes["body/encoder/blocks/0/up/kernel"] == (6, 7)
    assert shapes["head/kernel"] == (6, CLASSES)
    assert (model["embed/embedding"][0] == 0).all()
    assert "body/encoder/last/scale" in shapes
    assert "body/encoder/last/scale" not in arrays(encoder(norm="post"))


def test_first_values_have_the_variance_that_the_docstring_states():
    model = arrays(build_classifier(Cell(width=64), 2000, 50, 0))
    for path, wanted in {
        "embed/embedding": 64**-0.5,
        "head/kernel": 64**-0.5,
        "body/encoder/blocks/0/up/kernel": (2 / 64) ** 0.5,
        "body/encoder/blocks/0/down/kernel": 256**-0.5,
        "body/encoder/blocks/0/attention/project/query/kernel": 64**-0.5,
        "body/encoder/blocks/0/attention/project/value/kernel": 64**-0.5,
    }.items():
        np.testing.assert_allclose(model[path].std(), wanted, rtol=0.05, err_msg=path)


def test_a_position_in_attention_has_no_arrays_in_the_encoder(catalogue):
    @registry.position("biased", learned={"bias": Learned("T T"), "shift": Learned("E")})
    class Biased:
        """Tilt logits and move embeddings, each with an array of its own."""

        def embed(x, shift):
            return x + shift

        def adjust(logits, bias, here):
            return logits + bias[here.rows[:, None], here.columns[None, :]]

    paths = [
        path
        for path in arrays(encoder(position="biased", layers=2))
        if path.endswith("arrays/bias")
    ]
    assert sorted(paths) == [
        f"body/encoder/blocks/{n}/attention/slots/2/arrays/bias" for n in (0, 1)
    ]
    assert "body/encoder/position/arrays/shift" in arrays(encoder(position="biased"))


def test_dropout_only_where_it_is_asked_for():
    model = encoder()
    numeric = {**model.cell.numeric(), "dropout": 0.5, "attention.dropout": 0.5}
    ids, key = jnp.asarray(IDS), jax.random.key(0)
    plain = model(ids, ForwardContext(numeric))
    seen = {np.asarray(plain).tobytes()}
    for dropping in ({"dropout"}, {"attention.dropout"}, {"dropout", "attention.dropout"}):
        seen.add(
            np.asarray(model(ids, ForwardContext(numeric, 0, frozenset(dropping), key))).tobytes()
        )
    assert len(seen) == 4
    np.testing.assert_array_equal(plain, model(ids, ForwardContext(numeric, 0, frozenset(), key)))


def test_every_layer_drops_its_own():
    drawn = []

    class Spy(ForwardContext):
        def drop(self, x, path, stream):
            drawn.append((path, stream))
            return x

        def drop_weights(self, weights, path, stream, here):
            return self.drop(weights, path, stream)

    model = encoder(layers=2)
    model(jnp.asarray(IDS), Spy(model.cell.numeric()))
    assert len(set(drawn)) == len(drawn) == 2 + 2 * 3
