"""Run any part of the catalogue as its slot does, and its reference on the same numbers.

Every part is tried at its defaults, with another value of each numeric setting, and with every part
that its settings can name. Learned arrays are random, so that none hides behind a start at zero.
"""

from __future__ import annotations

import inspect
import zlib
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from attn_nlp.nn.context import BlockContext, ForwardContext
from attn_nlp.nn.part_module import PartModule
from attn_nlp.parts import registry
from attn_nlp.parts.registry import Named, Numeric
from attn_nlp.parts.selection import Choice, choose
from tests import reference

SIZES = {"T": 5, "H": 2, "Q": 2, "K": 2, "M": 2, "D": 4, "U": 4, "E": 8, "F": 16, "N": 1}
SIZES |= {"V": 11, "C": 3}
KEYS = 6  # S, on purpose not T
SENTENCES = 3
SEED, LAYER = 7, 1
SLOTS = tuple(slot for slot in registry.SLOTS if slot != "optimizer")  # of the encoder


def parts(*slots: str) -> list[registry.Part]:
    """The parts of these slots, by default of all, that are run as a part of the encoder."""
    return [
        part
        for part in registry.parts()
        if part.slot in (slots or SLOTS) and (part.slot != "model" or "read" in part.hooks)
    ]


def cases(*slots: str) -> list[tuple[str, str]]:
    """(slot, text) of everything that the slots can be set to in a test."""
    found = []
    for part in parts(*slots):
        found.append((part.slot, part.name))
        if part.facts.get("fixed"):
            continue
        for name, setting in part.settings.items():
            if isinstance(setting, Named):
                others = registry.parts(setting.slot)
                found += [(part.slot, f"{part.name}({name}={each.name!r})") for each in others]
            if isinstance(setting, Numeric):
                value = float(np.clip(0.37, setting.low, setting.high))
                found.append((part.slot, f"{part.name}({name}={value})"))
    return found


def names(slot: str, **facts: object) -> list[str]:
    """The parts of a slot with these facts; None stands for a fact that is not given."""
    return [
        part.name
        for part in registry.parts(slot)
        if all(part.facts.get(fact) == value for fact, value in facts.items())
    ]


def rng_of(name: str) -> np.random.Generator:
    """Random numbers of a name, the same in every process."""
    return np.random.default_rng(zlib.crc32(name.encode()))


def inputs(name: str = "inputs", keys: int = KEYS) -> dict[str, np.ndarray]:
    """One of everything that a slot is given, in float64.

    Sentence 0 is full, sentence 1 ends in padding, sentence 2 is padding alone. The mask hides
    single keys besides, and query 2 of sentence 0 sees nothing.
    """
    rng = rng_of(name)
    b, t, q, d, e = SENTENCES, SIZES["T"], SIZES["Q"], SIZES["D"], SIZES["E"]
    tokens = np.arange(t)[None, :] < np.array([[t], [3], [0]])
    mask = rng.random((b, 1, t, keys)) < 0.7
    mask[0, 0, 1], mask[0, 0, 2], mask[2] = True, False, False
    return {
        "x": rng.normal(size=(b, t, e)),
        "q": rng.normal(size=(b, q, t, d)),
        "k": rng.normal(size=(b, q, keys, d)),
        "v": rng.normal(size=(b, SIZES["H"], keys, SIZES["U"])),
        "q_raw": rng.normal(size=(b, q, t, d)),
        "out": rng.normal(size=(b, SIZES["H"], t, SIZES["U"])),
        "logits": rng.normal(size=(b, q, t, keys)) * 2,
        "marks": rng.normal(size=(b, t)) * 2,  # one number a position, for activations
        "mask": mask,
        "tokens": tokens,
    }


# The golden numbers were made when these arrays had other names, by which they are still drawn.
_DRAWN_AS = {
    "bias": "shift",
    "feature_scale": "gain",
    "gate_bias": "gate_shift",
    "hidden_bias": "shift",
    "inward_bias": "inward_shift",
    "key_scale": "key_gain",
    "outward_bias": "outward_shift",
    "query_scale": "query_gain",
    "table_bias": "table_shift",
}


@dataclass
class Given:
    """In place of a `Stream`: the arrays given by path, and random ones where none is."""

    arrays: dict
    slot: str = ""
    path: str = ""

    def __truediv__(self, name: str) -> Given:
        return Given(self.arrays, self.slot, f"{self.path}/{name}")

    def normal(self, shape, std, fill=0.0):
        if self.path not in self.arrays:
            outer, name = self.path.rsplit("/", 1)
            drawn_as = name if self.slot == "position" else _DRAWN_AS.get(name, name)
            self.arrays[self.path] = rng_of(f"{outer}/{drawn_as}").normal(size=shape)
        assert self.arrays[self.path].shape == shape
        return jnp.asarray(self.arrays[self.path], jnp.result_type(float))


@dataclass
class Ready:
    """A part made ready: to run it, and to ask its reference."""

    slot: str
    choice: Choice
    arrays: dict  # learned arrays by path below the part, float64

    def bound(self, arrays: dict | None = None) -> PartModule:
        """The part with its learned arrays, or with those given."""
        start = Given(self.arrays if arrays is None else arrays, self.slot)
        return PartModule(self.choice, self.slot, sizes(self.choice), start, LAYER)

    def call(self) -> ForwardContext:
        """Its numeric settings."""
        return ForwardContext(self.choice.numeric(SIZES, self.slot), seed=SEED)

    def run(self, given: dict, arrays: dict | None = None):
        """Run the part in its slot, and return a tuple of arrays.

        Args:
          given: `inputs`, some perhaps changed or traced.
          arrays: learned arrays in place of the part's own.
        """
        found = _RUN[self.slot](self.bound(arrays), self.call(), on_device(given))
        return found if isinstance(found, tuple) else (found,)

    def expected(self, given: dict):
        """Run its reference, and return a tuple of float64 arrays."""
        found = refer(self.bound(), self.call(), given)()
        return found if isinstance(found, tuple) else (found,)


def sizes(choice: Choice) -> dict[str, int]:
    """The sizes in a cell with this part and plain others."""
    found = dict(SIZES)
    found["Q"] = found["M"] = SIZES["H"] * int(choice.fact("maps", SIZES, 1))
    found["M"] *= int(choice.fact("features", SIZES, 1)) if choice.part.slot == "score" else 1
    found["K"] = int(choice.fact("key_heads", SIZES, SIZES["H"]))
    return found


def ready(slot: str, text: str) -> Ready:
    """The part of that text with random learned arrays."""
    made = Ready(slot, choose(slot, text), {})
    made.bound()  # draws the arrays
    return made


def on_device(given: dict) -> dict:
    """The inputs as JAX arrays, in float64 where that is enabled, else in float32."""
    return {
        name: jnp.asarray(value, bool if value.dtype == bool else jnp.result_type(float))
        for name, value in given.items()
    }


def reference_name(slot: str, name: str) -> str:
    """Return the name of the reference of a part in tests/reference."""
    return f"{slot}_{name}"


def refer(bound: PartModule, call: ForwardContext, given: dict):
    """The reference of a bound part as a function of what is still missing."""
    part = bound.choice.part
    function = getattr(reference, reference_name(part.slot, part.name))
    known: dict[str, Any] = {
        name: np.asarray(array[...], np.float64) for name, array in bound.arrays.items()
    }
    known |= bound.choice.static(SIZES)
    known |= {
        name: call.numeric[f"{bound.path}.{name}"]
        for name, setting in part.settings.items()
        if isinstance(setting, Numeric)
    }
    known |= {name: refer(other, call, {}) for name, other in bound.named.items()}
    known |= given | {"seed": SEED, "layer": LAYER}
    known |= {"rows": np.arange(SIZES["T"]), "columns": np.arange(KEYS)}
    known |= {"fan_in": SIZES["E"], "fan_out": 12, "maps": bound.sizes["Q"] // SIZES["H"]}
    known |= {"key_heads": bound.sizes["K"]}
    if "seen" not in known and "mask" in known:
        known["seen"] = known["mask"].sum(axis=-1, keepdims=True)
    if part.slot == "activation" and "marks" in given:
        known["logits"] = given["marks"]
    if part.slot == "kind":  # every position is a query and a key
        known |= {name: given[name][:, :, : SIZES["T"]] for name in ("k", "v")}
    wanted = inspect.signature(function).parameters

    def asked(**more):
        return function(**{name: (known | more)[name] for name in wanted})

    return asked


def here_of(given: dict, first_key: int = 0, keys: int | None = None) -> BlockContext:
    """Where the block stands: all rows, and the keys from `first_key`."""
    rows = jnp.arange(given["q"].shape[2])
    columns = first_key + jnp.arange(given["k"].shape[2] if keys is None else keys)
    return BlockContext(rows, columns, given["tokens"], given["mask"][:, 0].any(axis=1))


def seen_of(given: dict):
    """(B, 1, T, 1): the keys that each query may see."""
    return given["mask"].sum(axis=-1, keepdims=True).astype(jnp.result_type(float))


def _score(bound, call, given):
    q, k = _prepared(bound, call, given)
    return bound.score(call, here_of(given), q=q, k=k)


def _scale(bound, call, given):
    q, k = _prepared(bound, call, given)
    logits = jnp.einsum("bhtd,bhsd->bhts", q, k)
    if bound.has("factor"):
        logits = logits * bound.factor(call, here_of(given), seen=seen_of(given))
    return _adjusted(bound, call, given, logits, q)


def _mask(bound, call, given):
    shape = (given["q"].shape[2], given["k"].shape[2])
    if not bound.has("allowed"):
        return jnp.ones(shape, bool)
    return jnp.broadcast_to(bound.allowed(call, here_of(given)), (1, 1, *shape))[0, 0]


def _normalizer(bound, call, given):
    return normalized(bound, call, given, given["logits"], given["mask"])


def normalized(bound, call, given, logits, mask, stats=None, first_key=0):
    """Weights of a block of keys; the statistics are its own where none are given."""
    where = here_of(given, first_key, logits.shape[-1])
    if stats is None and bound.has("reduce"):
        stats = bound.reduce(call, where, logits=logits, mask=mask)
    return bound.weights(call, where, logits=logits, mask=mask, stats=stats, seen=seen_of(given))


def _mixer(bound, call, given):
    # Map m of a head compares as the head's only map would, on a scale of its own.
    maps, sharing = bound.sizes["Q"] // SIZES["H"], SIZES["H"] // bound.sizes["K"]
    spread = jnp.stack([given["logits"] / (1 + m) for m in range(maps)], axis=2)
    logits = spread.reshape(len(spread), -1, *spread.shape[3:])
    given = given | {"v": jnp.repeat(given["v"][:, : bound.sizes["K"]], sharing, axis=1)}
    logits = _adjusted(bound, call, given, logits, given["q"])
    weights = _softmax(logits, given)
    if bound.has("reweight"):
        weights = bound.reweight(call, here_of(given), weights=weights)
    out = _spent(bound, call, given, weights)
    if bound.has("finish"):
        more = {"q_raw": given["q_raw"], "x": given["x"]}
        out = bound.finish(call, here_of(given), out=out, **more)
    return out


def _position(bound, call, given):
    where = here_of(given)
    x = given["x"]
    if bound.has("embed"):
        x = bound.embed(call, where, x=x, mask=given["tokens"])
    q, k = _prepared(bound, call, given)
    logits = jnp.einsum("bhtd,bhsd->bhts", q, k)
    if bound.has("relate"):
        logits = logits + bound.relate(call, where, q=q, k=k)
    weights = _softmax(_adjusted(bound, call, given, logits, q), given)
    return x, _spent(bound, call, given, weights)


def _kind(bound, call, given):
    where = here_of(given)
    for hook, wanted in (("block", ("x",)), ("attend", ("q", "k", "v"))):
        if bound.has(hook):
            more = {name: given[name][..., : SIZES["T"], :] for name in wanted}
            return getattr(bound, hook)(call, where, mask=given["tokens"], **more)
    length = SIZES["T"]
    mask = given["tokens"][:, None, None, :] & jnp.ones((1, 1, length, 1), bool)
    q, k, v = given["q"], given["k"][:, :, :length], given["v"][:, :, :length]
    logits = jnp.einsum("bhtd,bhsd->bhts", q, k) * SIZES["D"] ** -0.5
    return jnp.einsum("bhts,bhsu->bhtu", _softmax(logits, {"mask": mask}), v)


def _activation(bound, call, given):
    more = {"logits": given["marks"], "mask": given["tokens"]}
    return bound.activate(call, here_of(given), **more)


def _weighting(bound, call, given):
    share = bound.weigh(call, here_of(given), out=given["out"], q_raw=given["q_raw"])
    return jnp.broadcast_to(share, given["out"].shape)


def _pooling(bound, call, given):
    return bound.pool(call, here_of(given), x=given["x"], mask=given["tokens"])


def _features(bound, call, given):
    return bound.features(call, here_of(given), x=given["x"])


def _model(bound, call, given):
    return bound.read(call, here_of(given), x=given["x"], mask=given["tokens"])


def _init(bound, call, given):
    fans = {"fan_in": SIZES["E"], "fan_out": 12}
    return jnp.asarray(bound.std(call, **fans))


def _prepared(bound, call, given):
    q, k = given["q"], given["k"]
    return bound.prepare(call, here_of(given), q=q, k=k) if bound.has("prepare") else (q, k)


def _adjusted(bound, call, given, logits, q):
    if not bound.has("adjust"):
        return logits
    more = {"logits": logits, "q": q, "seen": seen_of(given)}
    return bound.adjust(call, here_of(given), **more)


def _spent(bound, call, given, weights):
    out = jnp.einsum("bhts,bhsu->bhtu", weights, given["v"])
    if bound.has("aggregate"):
        out = out + bound.aggregate(call, here_of(given), weights=weights, v=given["v"])
    return out


def _softmax(logits, given):
    hidden = jnp.where(given["mask"], logits, -jnp.inf)
    top = jax.lax.stop_gradient(jnp.max(hidden, axis=-1, keepdims=True))
    raised = jnp.exp(hidden - jnp.where(jnp.isfinite(top), top, 0.0))
    total = raised.sum(axis=-1, keepdims=True)
    return raised / jnp.where(total > 0, total, 1.0)


_RUN = {
    "kind": _kind,
    "score": _score,
    "scale": _scale,
    "mask": _mask,
    "normalizer": _normalizer,
    "mixer": _mixer,
    "weighting": _weighting,
    "activation": _activation,
    "features": _features,
    "model": _model,
    "init": _init,
    "position": _position,
    "pooling": _pooling,
}
assert set(_RUN) == set(SLOTS), "a slot was added: say here how a part in it is run"
