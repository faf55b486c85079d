"""Modules for models in Flax: they compute what the encoder does, and keep Flax's conventions."""

from __future__ import annotations

import copy
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from attn_nlp import nn
from attn_nlp.errors import UserError
from attn_nlp.experiment import Cell
from attn_nlp.nn import encoder
from attn_nlp.nn.attention import build_attention
from attn_nlp.nn.context import ForwardContext
from attn_nlp.parts import registry
from attn_nlp.rng import Stream
from tests.nn.running import names, rng_of

WIDTH, HEADS, LENGTH = 8, 2, 4
TOKENS = jnp.arange(LENGTH)[None, :] < jnp.array([[LENGTH], [2]])
X = jnp.asarray(rng_of("x of a module").normal(size=(2, LENGTH, WIDTH)), jnp.float32)
IDS = jnp.array([[3, 4, 5, 6], [7, 3, 0, 0]])
SCORES = [part.name for part in registry.parts("score")]
NORMALIZERS = [part.name for part in registry.parts("normalizer")]


def layer(seed: int = 0, **settings) -> nn.SelfAttention:
    return nn.SelfAttention(WIDTH, HEADS, length=LENGTH, **settings, rngs=nnx.Rngs(seed))


def looked(module, *given, **more):
    """The result, and the weights that were sown."""
    out, sown = nnx.capture(module, nnx.Intermediate)(*given, sow_weights=True, **more)
    return np.asarray(out), sown


@pytest.mark.parametrize("score", SCORES)
def test_every_score_with_every_normalizer(score):
    """All at once, since a normalizer has no arrays: a gradient that is not finite stays so."""
    split = [
        nnx.split(layer(score=score, normalizer=normalizer), nnx.Param, ...)
        for normalizer in NORMALIZERS
    ]

    def loss(params):
        outs, weights = [], []
        for graph, _, rest in split:
            module = nnx.capture(nnx.merge(graph, params, rest), nnx.Intermediate)
            out, sown = module(X, TOKENS, sow_weights=True)
            outs.append(jnp.square(out).sum())
            weights.append(sown["attention_weights"][0])
        return sum(outs), weights

    grads, found = jax.grad(loss, has_aux=True)(split[0][1])
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(grads))
    assert (grads["attention"]["project"]["value"]["kernel"][...] != 0).any()
    maps = WIDTH if score == "feature_wise" else HEADS
    for normalizer, weights in zip(NORMALIZERS, found, strict=True):
        assert weights.shape == (2, maps, LENGTH, LENGTH)
        assert np.isfinite(weights).all(), normalizer
        assert (weights[1, :, :, 2:] == 0).all(), normalizer
        if normalizer in names("normalizer", sums_to_one=True):
            np.testing.assert_allclose(weights.sum(axis=-1), 1, rtol=1e-6, err_msg=normalizer)


SAME = [
    {},
    {"score": "additive", "scale": "none", "normalizer": "entmax15"},
    {"scale": "constant(0.3)", "mask": "causal", "mixer": "query_mix"},
    {"mixer": "differential", "position": "rope"},
    {"kind": "linear"},
    {"chunk": 8, "use_bias": True, "tie_qk": True},
]


@pytest.mark.parametrize("settings", SAME, ids=str)
def test_self_attention_is_that_of_the_encoder(settings):
    paths = {"position": "position", "use_bias": "attention.projection_bias"}
    cell = Cell(width=WIDTH, heads=HEADS, length=LENGTH, position="none", dropout=0.0).replace(
        {paths.get(name, f"attention.{name}"): value for name, value in settings.items()}
    )
    own = build_attention(cell, cell.sizes, Stream(3), 0)
    module = layer(**settings)
    nnx.update(module.attention, nnx.state(own, nnx.Param))
    wanted = own(X, TOKENS, ForwardContext(cell.numeric()))
    np.testing.assert_array_equal(module(X, TOKENS), wanted)


def test_a_classifier_is_that_of_an_experiment():
    cell = Cell(width=WIDTH, heads=HEADS, layers=2, hidden=6, pooling="first", dropout=0.0)
    cell = cell.replace({"attention.score": "additive"})
    own = encoder.build_classifier(cell, 9, 3, 1)
    model = nn.Classifier(
        9,
        3,
        WIDTH,
        HEADS,
        2,
        ffn_width=6,
        pooling="first",
        attention={"score": "additive"},
        rngs=nnx.Rngs(0),
    )
    nnx.update(model.model, nnx.state(own, nnx.Param))
    wanted = own(IDS, ForwardContext(cell.numeric()))
    np.testing.assert_array_equal(model(IDS), wanted)
    np.testing.assert_array_equal(model(IDS, IDS != 0), wanted)


def test_every_layer_has_attention_of_its_own():
    """Numbers of the same name are those of the layer: the second one of these has no logits."""
    layers = [{"score": "l2", "mask": "causal"}, {"scale": "constant(0)", "heads": 4}]
    layers.append({"scale": "constant(3)", "normalizer": "sparsemax"})
    model = nn.Encoder(9, WIDTH, HEADS, 3, attention=layers, rngs=nnx.Rngs(0))
    out, sown = looked(model, IDS)
    assert out.shape == (2, LENGTH, WIDTH)
    first, second, third = (
        np.asarray(sown["encoder"]["blocks"][n]["attention"]["attention_weights"][0])
        for n in range(3)
    )
    assert (np.triu(first[0], 1) == 0).all()
    assert second.shape == (2, 4, LENGTH, LENGTH)
    np.testing.assert_allclose(second[0], 1 / LENGTH)
    assert (third[0] == 0).any()


def test_both_forms_of_a_mask_agree():
    module = layer(mixer="query_mix", mask="causal", normalizer="sigmoid")
    wanted, sown = looked(module, X, TOKENS)
    for mask in (nnx.make_attention_mask(TOKENS, TOKENS), TOKENS[:, None, None, :] * 1):
        out, other = looked(module, X, mask)
        np.testing.assert_array_equal(out[0], wanted[0])
        np.testing.assert_array_equal(out[1, :2], wanted[1, :2])
        np.testing.assert_array_equal(
            other["attention_weights"][0][1, :, :2], sown["attention_weights"][0][1, :, :2]
        )


def test_training_lowers_the_loss():
    """Learn which of two tokens is first; the whole model is an argument of nnx.jit."""
    model = nn.Classifier(
        6, 2, WIDTH, HEADS, pooling="first", attention={"score": "additive"}, rngs=nnx.Rngs(1)
    )
    ids = jnp.array([[1, 2, 3, 0], [1, 3, 2, 4], [1, 2, 4, 3], [1, 3, 0, 0]])
    labels = jnp.array([0, 1, 0, 1])
    optimizer = nnx.Optimizer(model, optax.adam(1e-2), wrt=nnx.Param)

    @nnx.jit
    def step(model, optimizer):
        def loss_of(model):
            logits = model(ids)
            return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()

        loss, grads = nnx.value_and_grad(loss_of)(model)
        optimizer.update(model, grads)
        return loss

    losses = [float(step(model, optimizer)) for _ in range(40)]
    assert losses[-1] < 0.1 < 0.5 < losses[0]


def test_state_splits_merges_and_has_a_hash():
    module = layer(score="bilinear", scale="constant(0.3)")
    graph, state = nnx.split(module)
    paths = {"/".join(map(str, path)) for path, _ in nnx.to_flat_state(state)}
    projections = {
        f"attention/project/{name}/kernel" for name in ("query", "key", "value", "output")
    }
    assert paths == projections | {"attention/slots/0/arrays/form"}
    assert hash(graph) == hash(nnx.split(layer(1, score="bilinear", scale="constant(0.3)"))[0])
    apply = jax.jit(lambda graph, state: nnx.merge(graph, state)(X, TOKENS), static_argnums=0)
    np.testing.assert_allclose(apply(graph, state), module(X, TOKENS), rtol=1e-5, atol=1e-6)


def test_a_module_is_built_from_its_key_also_while_jax_traces():
    one, same, other = (nnx.state(layer(seed), nnx.Param) for seed in (0, 0, 1))
    assert jax.tree.all(jax.tree.map(lambda a, b: bool((a == b).all()), one, same))
    query = one["attention"]["project"]["query"]["kernel"][...]
    assert np.all(query != other["attention"]["project"]["query"]["kernel"][...])
    shapes = nnx.eval_shape(lambda: nn.Classifier(9, 3, WIDTH, HEADS, rngs=nnx.Rngs(0)))
    assert shapes.model.embed.embedding.get_value().shape == (9, WIDTH)
    built = nn.Classifier(9, 3, WIDTH, HEADS, rngs=nnx.Rngs(0))
    assert (built.model.embed.embedding[0] == 0).all()
    wide = nnx.state(nn.SelfAttention(64, 4, rngs=nnx.Rngs(0)))["attention"]["project"]["query"]
    np.testing.assert_allclose(np.asarray(wide["kernel"][...]).std(), 64**-0.5, rtol=0.05)


def test_dropout_follows_the_conventions_of_flax():
    module = layer(dropout=0.5)
    plain = module(X)
    np.testing.assert_array_equal(module(X, rngs=nnx.Rngs(1)), plain)
    dropped = [module(X, deterministic=False) for _ in range(2)]
    assert (dropped[0] != plain).any()
    assert (dropped[0] != dropped[1]).any()
    again = [module(X, deterministic=False, rngs=nnx.Rngs(dropout=5)) for _ in range(2)]
    np.testing.assert_array_equal(*again)
    by_key = module(X, deterministic=False, rngs=nnx.Rngs(dropout=5).dropout())
    np.testing.assert_array_equal(by_key, again[0])
    view = nnx.view(module, deterministic=False)
    assert (view(X) != plain).any()
    module.train()
    assert (module(X) != plain).any()
    module.eval()
    np.testing.assert_array_equal(module(X), plain)


@pytest.mark.parametrize("settings", [{}, {"normalizer": "gumbel"}], ids=["none", "noise"])
def test_a_module_keeps_random_numbers_only_if_it_draws_some(settings):
    module = layer(**settings)
    assert (module.rngs is None) == (not settings)
    same = np.array_equal(module(X, deterministic=False), module(X))
    assert same == (not settings)


def test_what_is_random_and_stays_is_drawn_for_every_module():
    rngs = nnx.Rngs(0)
    made = [nn.SelfAttention(WIDTH, HEADS, "hard_random", rngs=rngs) for _ in range(2)]
    one, two = (looked(module, X)[1]["attention_weights"][0] for module in made)
    assert (one != two).all()


BUILD = [
    ({"score": "adittive"}, "unknown score 'adittive'.*Did you mean 'additive'"),
    ({"normalizer": "entmax(alhpa=2)"}, "setting of normalizer 'entmax'.*Did you mean 'alpha'"),
    ({"score": 3}, "attention.score names a score; 3 is no name"),
    ({"qk_norm": "softcap"}, "unknown qk_norm 'softcap'; known: qk_layernorm, qk_norm, qk_rms"),
    ({"position": "sinusoidal"}, "acts on embeddings, not inside attention; allowed: none, rope"),
    ({"heads": 3}, "width 8 does not split into 3 heads"),
    ({"dropout": 1.0}, "attention.dropout is 1.0; allowed: from 0 to 0.95"),
    ({"score": "feature_wise", "value_dim": 3}, "needs value_dim equal to head_dim"),
    ({"score": "synthesizer_random"}, "depends on the most tokens of a text; give them as length"),
    ({"mask": "strided"}, "mask 'strided' depends on the most tokens of a text"),
]


@pytest.mark.parametrize(("settings", "message"), BUILD, ids=[str(each) for each, _ in BUILD])
def test_a_wrong_setting_is_rejected(settings, message):
    with pytest.raises(UserError, match=message):
        nn.SelfAttention(**{"width": 8, "heads": 2, **settings}, rngs=nnx.Rngs(0))


def test_parts_that_are_told_what_they_count_need_no_length():
    rngs = nnx.Rngs(0)
    nn.SelfAttention(8, 2, mask="strided(stride=2)", scale="qk_norm(length=9)", rngs=rngs)


def test_qk_norm_takes_the_place_of_the_scale_or_joins_it():
    alone = layer(qk_norm="qk_rmsnorm")
    np.testing.assert_array_equal(alone(X), layer(scale="qk_rmsnorm")(X))
    joined = layer(qk_norm="qk_rmsnorm", scale="constant(2)")
    np.testing.assert_array_equal(joined(X), layer(scale="constant(2) + qk_rmsnorm")(X))


CALLED = [
    ({}, (X[..., :3],), "x has shape .2, 4, 3.; expected .B, T, 8."),
    ({}, (X, TOKENS[:, :3]), "mask has shape .2, 3.; expected .B, T. = .2, 4."),
    ({}, (X, jnp.ones((2, 3, 4, 4))), "broadcasts to .B, H, T, S. = .2, 2, 4, 4."),
    ({"kind": "linear"}, (X, jnp.ones((2, 1, 4, 4))), "does not compare positions.* .B, T."),
    ({"chunk": 8}, (X, jnp.ones((2, 1, 4, 4))), "block by block; set chunk=None, or give"),
    ({"score": "location"}, (jnp.ones((1, 5, 8)),), "have entries for 4 positions.*length=5"),
]


@pytest.mark.parametrize(("settings", "given", "message"), CALLED, ids=[c[2] for c in CALLED])
def test_a_wrong_input_is_rejected(settings, given, message):
    with pytest.raises(UserError, match=message):
        layer(**settings)(*given)


@pytest.mark.parametrize("settings", [{"chunk": 8}, {"kind": "fnet"}], ids=str)
def test_weights_that_are_not_there_are_not_sown(settings):
    with pytest.raises(UserError, match="sow_weights=True, but there are no weights"):
        layer(**settings)(X, sow_weights=True)


def test_an_unknown_argument_of_a_call_is_rejected():
    known = "known: deterministic, mask, rngs, sow_weights, x"
    with pytest.raises(UserError, match=f"argument of a call of SelfAttention 'sow'; {known}"):
        layer()(X, sow=True)  # pyright: ignore[reportCallIssue]


ENCODERS = [
    ({"attention": [{}]}, "attention has 1 entries for 2 layers"),
    ({"attention": "additive"}, "attention is 'additive'; give"),
    ({"attention": ["dot", "dot"]}, "attention holds 'dot'; give"),
    ({"attention": {"scroe": "dot"}}, "unknown attention setting 'scroe'.*Did you mean 'score'"),
    ({"attention": [{}, {"position": "learned"}]}, "'learned' acts on embeddings"),
    ({"position": "learned"}, "position 'learned' depends on the most tokens of a text"),
    ({"norm": "none"}, "unknown norm 'none'; known: post, pre"),
]


@pytest.mark.parametrize(("settings", "message"), ENCODERS, ids=[str(e) for e, _ in ENCODERS])
def test_a_wrong_encoder_is_rejected(settings, message):
    with pytest.raises(UserError, match=message):
        nn.Encoder(9, WIDTH, HEADS, 2, **settings, rngs=nnx.Rngs(0))


def test_an_encoder_rejects_other_shapes():
    model = nn.Encoder(9, WIDTH, HEADS, position="learned", length=4, rngs=nnx.Rngs(0))
    for given, message in (
        ((IDS[0],), "ids have shape .4,.; expected .B, T."),
        ((IDS, TOKENS[:, :3]), "mask has shape .2, 3.; expected .B, T. = .2, 4."),
        ((jnp.ones((1, 5), int),), "5 tokens, but learned arrays have entries for 4 positions"),
    ):
        with pytest.raises(UserError, match=message):
            model(*given)


def test_the_package_lists_its_modules_and_knows_no_others():
    assert {"Classifier", "Encoder", "SelfAttention", "attention_fn"} <= set(dir(nn))
    with pytest.raises(AttributeError, match="SelfAtention"):
        _ = nn.SelfAtention


def test_every_pairwise_position_runs_inside_a_module():
    inside = [p.name for p in registry.parts("position") if set(p.hooks) - {"embed"}]
    for position, mask in itertools.product(inside, (TOKENS, TOKENS[:, None, None, :])):
        assert np.isfinite(layer(position=position)(X, mask)).all(), position


@pytest.mark.parametrize("shape", [(0, 5, WIDTH), (2, 0, WIDTH)])
def test_attention_over_nothing_is_nothing(shape):
    assert nn.SelfAttention(WIDTH, HEADS, rngs=nnx.Rngs(0))(jnp.zeros(shape)).shape == shape


def test_a_module_can_be_copied_deeply():
    layer = nn.SelfAttention(WIDTH, HEADS, rngs=nnx.Rngs(0))
    x = jnp.ones((1, 3, WIDTH))
    assert (copy.deepcopy(layer)(x) == layer(x)).all()
