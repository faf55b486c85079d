"""Models that read a sentence in their own way: padding, order, cost, second opinions."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from attn_nlp.experiment import Cell
from attn_nlp.nn.context import ForwardContext
from attn_nlp.nn.encoder import build_classifier
from attn_nlp.nn.part_module import PartModule
from attn_nlp.parts.selection import choose
from attn_nlp.rng import Stream
from tests.conftest import required
from tests.nn.running import SIZES, cases, inputs, parts, ready, rng_of
from tests.nn.test_encoder import IDS, class_logits, encoder, shaken

CASES = cases("model")
NAMES = [part.name for part in parts("model")]
LENGTHS = range(1, 8)  # shorter than every filter, and longer
WIDTHS = (3, 4, 5)


def sentences(width: int = SIZES["E"]) -> dict[str, np.ndarray]:
    """One sentence of each of `LENGTHS`, with numbers at padding that would show."""
    tokens = np.arange(max(LENGTHS))[None, :] < np.array(LENGTHS)[:, None]
    x = rng_of("sentences").normal(size=(*tokens.shape, width))
    x[~tokens] = 9.0
    return inputs() | {"x": x, "tokens": tokens}


def reading(text: str, given: dict, arrays: dict | None = None) -> np.ndarray:
    (found,) = ready("model", text).run(given, arrays)
    return np.asarray(found)


def arrays_of(text: str) -> dict[str, np.ndarray]:
    """Random learned arrays by their own names."""
    return {path.removeprefix("/"): array for path, array in ready("model", text).arrays.items()}


@pytest.mark.proof("hidden")
@pytest.mark.parametrize(("slot", "text"), CASES)
def test_values_at_padding_change_nothing(slot, text):
    given = sentences()
    other = given | {"x": np.where(given["tokens"][:, :, None], given["x"], -1e4)}
    np.testing.assert_array_equal(reading(text, given), reading(text, other))


@pytest.mark.parametrize("text", NAMES)
def test_values_at_padding_get_no_gradient(text):
    given, part = sentences(), ready("model", text)
    slopes = jax.grad(lambda x: jnp.square(part.run(given | {"x": x})[0]).sum())(given["x"])
    assert (np.asarray(slopes)[~given["tokens"]] == 0).all()
    assert np.isfinite(slopes).all()
    assert (np.asarray(slopes)[:, 0] != 0).any(axis=1).all()


@pytest.mark.parametrize("text", NAMES)
def test_more_padding_changes_nothing(text):
    given = sentences()
    found = reading(text, given)
    more = {
        "x": np.pad(given["x"], ((0, 0), (0, 3), (0, 0)), constant_values=9.0),
        "tokens": np.pad(given["tokens"], ((0, 0), (0, 3))),
    }
    # The same numbers are added, in groups of another size: the last bits may differ.
    np.testing.assert_allclose(reading(text, given | more), found, rtol=1e-5, atol=1e-6)
    for length in (1, 4):
        row = LENGTHS.index(length)
        alone = {name: given[name][row : row + 1, :length] for name in ("x", "tokens")}
        found_alone = reading(text, given | alone)[0]
        np.testing.assert_allclose(found_alone, found[row], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("text", NAMES)
def test_padding_and_neighbors_change_no_class_logit(text):
    model = shaken(encoder(model=text))
    together = class_logits(model, IDS)
    wider = class_logits(model, np.pad(IDS, ((0, 0), (0, 2))))
    alone = class_logits(model, IDS[1:2, :2])
    np.testing.assert_allclose(wider, together, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(alone[0], together[1], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("text", NAMES)
def test_lengths_agree_with_the_reference(text):
    given, part = sentences(), ready("model", text)
    np.testing.assert_allclose(reading(text, given), part.expected(given)[0], rtol=2e-5, atol=1e-5)


@pytest.mark.parametrize("text", NAMES)
def test_a_sentence_of_padding_gives_zeros_and_finite_gradients(text):
    given, part = inputs(), ready("model", text)
    assert (reading(text, given)[2] == 0).all()
    slopes = jax.grad(lambda arrays: part.run(given, arrays)[0][2].sum())(
        jax.tree.map(jnp.asarray, part.arrays)
    )
    assert all((np.asarray(slope) == 0).all() for slope in jax.tree.leaves(slopes))


@pytest.mark.parametrize("text", NAMES)
def test_large_numbers_stay_finite_and_right(text):
    given, part = sentences(), ready("model", text)
    given |= {"x": 1e4 * given["x"]}
    found, wanted = reading(text, given), part.expected(given)[0]
    # float32 keeps seven digits of the largest term of a sum.
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5 * max(1, np.abs(wanted).max()))
    slopes = jax.grad(lambda x: part.run(given | {"x": x})[0].sum())(given["x"])
    assert np.isfinite(slopes).all()


@pytest.mark.parametrize("text", NAMES)
def test_double_precision_is_kept(text):
    given, part = sentences(), ready("model", text)
    with jax.enable_x64(True):
        found, wanted = reading(text, given), part.expected(given)[0]
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-12)


def test_the_bag_knows_no_order_and_the_others_do():
    full = sentences()
    given = full | {name: full[name][-1:] for name in ("x", "tokens")}
    turned = given | {"x": given["x"][:, ::-1]}
    same = [
        name
        for name in NAMES
        if np.allclose(reading(name, given), reading(name, turned), atol=1e-5)
    ]
    assert same == ["bag_of_embeddings"]


def test_more_words_never_lower_an_answer_of_the_convolution():
    """Every window of a sentence of five or more is a window of a longer one."""
    full = sentences()
    beginnings = full | {
        "x": np.repeat(full["x"][-1:], len(LENGTHS), axis=0),
        "tokens": full["tokens"],
    }
    found = reading("cnn", beginnings)[max(WIDTHS) - 1 :]
    assert (np.diff(found, axis=0) >= -1e-6).all()
    assert (np.diff(found, axis=0) > 1e-3).any()


def test_the_convolution_finds_a_phrase_wherever_it_stands():
    rng, (starts, length, words) = rng_of("phrase"), (6, 14, 5)
    phrase = rng.normal(size=(words, SIZES["E"]))
    x = np.zeros((starts, length, SIZES["E"]))
    for start in range(starts):
        x[start, start : start + words] = phrase
    found = reading("cnn", inputs() | {"x": x, "tokens": np.ones((starts, length), bool)})
    # From 4 on every window that overlaps the phrase lies within the sentence.
    np.testing.assert_allclose(found[4], found[5], rtol=1e-5, atol=1e-5)
    assert (found[:4] <= found[4] + 1e-5).all()
    assert (found[0] < found[4] - 1e-3).any()
    arrays = arrays_of("cnn")
    bias = arrays["bias"].reshape(3, -1)[2]
    whole = np.maximum(np.einsum("te,tem->m", phrase, arrays["kernel_5"]) + bias, 0)
    assert (found[:, 200:] >= whole - 1e-4).all()


def test_each_direction_of_the_lstm_is_the_other_one_turned_round():
    given = sentences()
    turned = given["x"].copy()
    for row, length in enumerate(LENGTHS):
        turned[row, :length] = given["x"][row, :length][::-1]
    arrays = ready("model", "bilstm").arrays
    half = arrays["/bias"].size // 2
    swapped = {
        "/kernel": np.roll(arrays["/kernel"], half, axis=1),
        "/recurrent": arrays["/recurrent"][::-1].copy(),
        "/bias": np.roll(arrays["/bias"], half),
    }
    found = reading("bilstm", given)
    other = reading("bilstm", given | {"x": turned}, swapped)
    np.testing.assert_allclose(np.roll(other, SIZES["E"], axis=1), found, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("forget", "enter"), [(-1e4, 0.0), (1e4, -1e4)])
def test_gates_of_the_lstm_forget_and_keep(forget, enter):
    """Forgetting all, only the last word counts; keeping all and letting nothing in, none does."""
    given, units = sentences(), SIZES["E"]
    arrays = dict(ready("model", "bilstm").arrays)
    arrays["/recurrent"] = np.zeros_like(arrays["/recurrent"])
    bias = np.zeros((2, 4, units))
    bias[:, 0], bias[:, 1] = enter, forget
    arrays["/bias"] = bias.reshape(-1)
    found = reading("bilstm", given, arrays)
    changed = given["x"].copy()
    for row, length in enumerate(LENGTHS):
        changed[row, : length - 1] += 1.0
    other = reading("bilstm", given | {"x": changed}, arrays)
    np.testing.assert_array_equal(found[:, :units], other[:, :units])
    assert (found[:, :units] == 0).all() == (enter < 0)
    assert np.allclose(found[1:, units:], other[1:, units:]) == (enter < 0)


def test_first_values_have_the_variance_that_the_registry_line_states():
    dims = SIZES | {"E": 64}
    first = {
        name: PartModule(choose("model", name), "model", dims, Stream(0)).arrays for name in NAMES
    }
    for width in WIDTHS:
        kernel = first["cnn"][f"kernel_{width}"][...]
        assert kernel.shape == (width, 64, 100)
        np.testing.assert_allclose(kernel.std(), (2 / (width * 64)) ** 0.5, rtol=0.05)
    for name in ("kernel", "recurrent"):
        np.testing.assert_allclose(first["bilstm"][name][...].std(), 64**-0.5, rtol=0.05)
    for name in ("cnn", "bilstm"):
        bias = first[name]["bias"][...]
        assert (bias == 0).all()
        assert bias.ndim == 1, "weight decay falls on what has two axes or more"


def test_settings_shape_the_features():
    for text, features in {"cnn(7)": 21, "bilstm": 2 * 8, "bilstm(units=3)": 6}.items():
        model = encoder(model=text)
        assert model.head.kernel[...].shape[0] == features
        assert class_logits(model, IDS).shape == (3, 3)


def test_nothing_but_the_model_its_embedding_and_its_head_has_parameters():
    for text in NAMES:
        state = nnx.to_flat_state(nnx.state(encoder(model=text), nnx.Param))
        paths = {"/".join(map(str, path[:2])) for path, _ in state}
        assert paths <= {"embed/embedding", "body/model", "head/kernel", "head/bias"}


@pytest.mark.parametrize("text", NAMES)
def test_what_does_not_act_is_not_rejected(text):
    cell = Cell(model=text, width=10, heads=4)
    assert build_classifier(cell, 11, 3, 0)(
        jnp.asarray(IDS), ForwardContext(cell.numeric())
    ).shape == (3, 3)


@pytest.mark.parametrize("text", NAMES)
def test_the_stated_cost_is_what_is_traced(text):
    dims = {**SIZES, "T": 40, "E": 64}
    choice = choose("model", text)
    bound = PartModule(choice, "model", dims, Stream(0))
    call, mask = ForwardContext(choice.numeric(dims, "model")), jnp.ones((1, 40), bool)
    traced = jax.make_jaxpr(lambda x: bound.read(call, None, x=x, mask=mask))
    counted = operations(traced(jnp.zeros((1, 40, 64))).jaxpr)
    # Sums of partial products, one in 128 of what a filter costs, are not stated.
    np.testing.assert_allclose(choice.fact("flops", dims), counted, rtol=0.01)


def operations(jaxpr) -> int:
    """Floating-point operations of a traced function: 2 a multiply-add, 1 all else."""
    total = 0
    for equation in jaxpr.eqns:
        name, (out, *_) = equation.primitive.name, equation.outvars
        inner = [each.jaxpr for each in equation.params.values() if hasattr(each, "jaxpr")]
        times = equation.params.get("length", 1) if name == "scan" else 1
        total += times * sum(operations(each) for each in inner)
        if not jnp.issubdtype(out.aval.dtype, jnp.floating):
            continue
        if name == "dot_general":
            left = equation.invars[0].aval.shape
            (contracted, _), _ = equation.params["dimension_numbers"]
            total += 2 * out.aval.size * int(np.prod([left[axis] for axis in contracted]))
        elif name in ("add", "add_any", "sub", "mul", "div", "max", "tanh", "logistic", "exp"):
            total += out.aval.size
        elif name in ("reduce_sum", "reduce_max"):
            total += equation.invars[0].aval.size
    return total


def test_the_bag_and_its_oracle():
    torch = required("torch")
    rng, given = rng_of("bag"), sentences()
    table = torch.nn.EmbeddingBag(20, SIZES["E"], mode="mean", padding_idx=0)
    ids = rng.integers(1, 20, given["tokens"].shape) * given["tokens"]
    x = table.weight.detach().numpy()[ids]
    wanted = table(torch.as_tensor(ids)).detach().numpy()
    found = reading("bag_of_embeddings", given | {"x": x.astype(np.float64)})
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)


def test_the_convolution_and_its_oracle():
    """Each sentence by itself through PyTorch's convolutions, zeros up to the filter's width."""
    torch = required("torch")
    given, arrays = sentences(), arrays_of("cnn")
    biases = arrays["bias"].reshape(3, -1)
    with jax.enable_x64(True):
        found = reading("cnn", given)
    for row, length in enumerate(LENGTHS):
        wanted = []
        for width, bias in zip(WIDTHS, biases, strict=True):
            kernel = arrays[f"kernel_{width}"]
            layer = torch.nn.Conv1d(kernel.shape[1], kernel.shape[2], width, dtype=torch.float64)
            layer.weight.data = torch.as_tensor(kernel.transpose(2, 1, 0))
            layer.bias.data = torch.as_tensor(bias)
            filled = np.zeros((max(length, width), kernel.shape[1]))
            filled[:length] = given["x"][row, :length]
            answers = torch.relu(layer(torch.as_tensor(filled.T)))
            wanted.append(answers.max(dim=1).values.detach().numpy())
        np.testing.assert_allclose(found[row], np.concatenate(wanted), rtol=1e-10, atol=1e-10)


def test_the_lstm_and_its_oracle():
    """Values and gradients of PyTorch's bidirectional LSTM on packed sentences."""
    torch = required("torch")
    given, arrays, width = sentences(), arrays_of("bilstm"), SIZES["E"]
    layer = torch.nn.LSTM(width, width, bidirectional=True, batch_first=True, dtype=torch.float64)
    bias = arrays["bias"].reshape(2, 4, width) + np.eye(4)[1][:, None]  # the 1 of the formula
    for way, name in enumerate(("l0", "l0_reverse")):
        columns = slice(way * 4 * width, (way + 1) * 4 * width)
        for kind, value in {
            "weight_ih": arrays["kernel"][:, columns].T,
            "weight_hh": arrays["recurrent"][way].T,
            "bias_ih": bias[way].reshape(-1),
            "bias_hh": np.zeros(4 * width),
        }.items():
            getattr(layer, f"{kind}_{name}").data = torch.as_tensor(value.copy())
    x = torch.tensor(given["x"], requires_grad=True)
    packed = torch.nn.utils.rnn.pack_padded_sequence(
        x, torch.as_tensor(list(LENGTHS)), batch_first=True, enforce_sorted=False
    )
    _, (last, _) = layer(packed)
    wanted = torch.cat([last[0], last[1]], dim=1)
    (wanted**2).sum().backward()
    part = ready("model", "bilstm")
    with jax.enable_x64(True):
        found = reading("bilstm", given)
        slopes = jax.grad(lambda x: (part.run(given | {"x": x})[0] ** 2).sum())(given["x"])
    np.testing.assert_allclose(found, wanted.detach().numpy(), rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(slopes, x.grad.numpy(), rtol=1e-9, atol=1e-12)
