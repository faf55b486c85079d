"""The data flow of every slot, with one part at the steps where the code runs its hooks.

The steps of pairwise attention are in the order of `nn/pairwise.py`. A diagram depends on the
hooks, the facts and the function arguments of a part, never on its name. A part without hooks
leaves the step of its own slot as it is, and that step is highlighted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from attn_nlp.catalogue import words
from attn_nlp.experiment.costs import showing
from attn_nlp.figures.drawing import Text
from attn_nlp.figures.layout import Chip, Edge, Flow, Node, data, plain, split
from attn_nlp.parts.registry import SLOTS, Part

_ALL = (0, 2)  # the lanes of q, k and v
# Hooks that do everything there is to see: the formula is then part of the flow itself.
WHOLE = frozenset({"block", "attend", "pool", "read"})


@dataclass(frozen=True)
class Step:
    """A step of pairwise attention: the hooks that run there, and the slot that it belongs to."""

    name: str
    hooks: tuple[str, ...]
    title: str
    slot: str = ""  # a step without a slot is drawn only if a part acts there


_BEFORE_LOGITS = (
    Step("prepare", ("prepare",), "prepare q and k"),
    Step("score", ("score", "relate"), "score", "score"),
)
_BEFORE_WEIGHTS = (
    Step("scale", ("factor",), "scale", "scale"),
    Step("adjust", ("adjust",), "adjust the logits"),
    Step("mask", ("allowed",), "mask", "mask"),
    Step("normalizer", ("reduce", "merge", "rescale", "weights"), "normalizer", "normalizer"),
)
_REWEIGHT = Step("reweight", ("reweight",), "reweight")
_AGGREGATE = Step("aggregate", ("aggregate",), "weighted sum of the values", "kind")
_MIXER = Step("finish", ("finish",), "mixer", "mixer")
_ADDING = {"relate", "aggregate"}  # hooks whose result is added to that of the plain step


def flow(part: Part) -> Flow:
    """Return the data flow around a part."""
    diagram = _FLOWS[part.slot](part)
    if WHOLE & set(part.hooks):  # a formula needs room; only q, k and v are side by side
        diagram.rows = [
            tuple(replace(node, lanes=_ALL) for node in row) if len(row) == 1 else row
            for row in diagram.rows
        ]
    return diagram


def _pairwise(part: Part) -> Flow:
    diagram = Flow()
    _stream(diagram, "x")
    if "embed" in part.hooks:
        diagram.then(_own(part, ("embed",), f"{part.slot}:", _ALL))
        diagram.then(data("x'", "(B, T, E)", _ALL))
    top = diagram.rows[-1][0].name
    q, k, v = _split(diagram, part, top)
    last = (q, k)
    for step in _BEFORE_LOGITS:
        node = _step(part, step)
        if node is not None:
            diagram.row(node)
            ends = zip(last, (0, 1), strict=True)
            diagram.edges += [Edge(end, node.name, lane=lane) for end, lane in ends]
            last = (node.name, node.name)
    prepared = last[0] if last[0] == "prepare" else _prepared(diagram, q)
    sizes = _sizes(part)
    diagram.then(data("logits", f"(B, {sizes['M']}, T, S)"))
    for step in _BEFORE_WEIGHTS:
        node = _step(part, step)
        if node is not None:
            diagram.then(node, *_asked(part, step, {"q": prepared}))
    diagram.then(data("weights", f"(B, {sizes['M']}, T, S)"))
    node = _step(part, _REWEIGHT)
    if node is not None:
        diagram.then(node)
    aggregate = _step(part, _AGGREGATE)
    assert aggregate is not None
    diagram.then(replace(aggregate, lanes=_ALL), Edge(v, "aggregate", lane=2))
    diagram.then(data("out", f"(B, H, T, {sizes['U']})"))
    mixer = _step(part, _MIXER)
    assert mixer is not None
    sources = {"q_raw": q, "x": top}
    diagram.then(replace(mixer, aside="right"), *_asked(part, _MIXER, sources))
    diagram.then(data("y", "(B, T, E), linear in the heads"))
    return diagram


def _prepared(diagram: Flow, q: str) -> str:
    """Return the node that outputs the query after norms and positions."""
    return "prepare" if any(node.name == "prepare" for node in diagram.nodes()) else q


def _kind(part: Part) -> Flow:
    if not part.hooks:
        return _pairwise(part)
    diagram = Flow()
    _stream(diagram, "x")
    if "block" in part.hooks:
        diagram.then(_own(part, ("block",), f"{part.slot}:", _ALL))
        diagram.then(data("y", "(B, T, E)", _ALL))
        return diagram
    names = _split(diagram, part, "x")
    diagram.row(_own(part, ("attend",), f"{part.slot}:", _ALL))
    diagram.edges += [Edge(name, part.slot, lane=lane) for lane, name in enumerate(names)]
    diagram.then(data("out", f"(B, H, T, {_sizes(part)['U']})", _ALL))
    diagram.then(data("y", "(B, T, E), linear in the heads", _ALL))
    return diagram


def _position(part: Part) -> Flow:
    if part.hooks and set(part.hooks) != {"embed"}:
        return _pairwise(part)
    diagram = _embedded()
    diagram.then(_own(part, ("embed",), f"{part.slot}:"))
    diagram.then(data("x'", "(B, T, E)"))
    diagram.then(plain("blocks", "blocks", "attention and feed-forward, N times"))
    return diagram


def _pooling(part: Part) -> Flow:
    diagram = Flow()
    _stream(diagram, "x", (0, 1), "after the last block")
    diagram.then(_own(part, ("pool",), f"{part.slot}:"))
    diagram.then(data("c", "(B, E)"))
    diagram.then(plain("head", "class head", "linear"))
    diagram.then(data("class_logits", "(B, C)"))
    return diagram


def _gate(part: Part) -> Flow:
    """Return the flow of the token gate, where features and activations act."""
    diagram = Flow()
    _stream(diagram, "x", (0, 1))
    diagram.then(_of(part, "features", ("features",)))
    diagram.then(data("f", "(B, T, E), features"))
    diagram.then(plain("gate", "w . f[t] + b", "one number per position"))
    diagram.then(data("logits", "(B, T)"))
    diagram.then(_of(part, "activation", ("activate",)))
    diagram.then(data("weights", "(B, T)"))
    sums = plain("sum", "weighted sum of the features", "over positions")
    diagram.then(sums, Edge("f", "sum", "right"))
    diagram.then(data("c", "(B, E), context"))
    return diagram


def _weighting(part: Part) -> Flow:
    diagram = Flow()
    out = data("out", "(B, H, T, D), attention", (1, 1))
    diagram.row(data("q", "(B, H, T, D), query", (0, 0)), out)
    diagram.row(_own(part, ("weigh",), f"{part.slot}:"))
    asked = part.arguments("weigh")
    lanes = [("q", 0)] * ("q_raw" in asked) + [("out", 1)] * ("out" in asked)
    diagram.edges += [Edge(name, part.slot, lane=lane) for name, lane in lanes]
    diagram.then(data("lambda", "broadcastable to (B, H, T, D)"))
    mix = plain("mix", "lambda out + (1 - lambda) q", "the mix")
    diagram.then(mix, Edge("q", "mix", "left"), Edge("out", "mix", "right"))
    diagram.then(data("mixed", "(B, H, T, D)"))
    return diagram


def _init(part: Part) -> Flow:
    diagram = Flow()
    diagram.row(data("fan_in, fan_out", "E and Q D, the sizes of a linear map"))
    diagram.then(_own(part, ("std",), f"{part.slot}:"))
    diagram.then(data("s", "a standard deviation"))
    diagram.then(plain("draw", "draw N(0, s²)", "from the cell's seed"))
    diagram.then(data("W", "(E, Q D), for q and for k"))
    return diagram


def _optimizer(part: Part) -> Flow:
    diagram = Flow()
    diagram.row(data("grads", "one for each parameter"))
    diagram.then(plain("clip", "clip by global norm", "at most `clip`"))
    diagram.then(_own(part, ("transform",), f"{part.slot}:"))
    diagram.then(data("updates", "added to the parameters"))
    return diagram


def _model(part: Part) -> Flow:
    diagram = Flow()
    if "fit" in part.hooks:
        diagram.row(data("texts and labels", "of the training split"))
        diagram.then(_own(part, ("fit",), f"{part.slot}:"))
        diagram.then(data("class_logits", "of the test split"))
        return diagram
    diagram = _embedded()
    if "read" in part.hooks:
        diagram.then(_own(part, ("read",), f"{part.slot}:"))
        diagram.then(data("c", f"(B, {part.facts.get('features', 'E')})"))
    else:
        diagram.then(plain("position", "position", SLOTS["position"].what))
        blocks = _own(part, (), "blocks:")
        what = Text("attention and feed-forward, N times", 7.5)
        diagram.then(replace(blocks, texts=(blocks.texts[0], what)))
        diagram.then(plain("pooling", "pooling", SLOTS["pooling"].what))
        diagram.then(data("c", "(B, E)"))
    diagram.then(plain("head", "class head", "linear"))
    diagram.then(data("class_logits", "(B, C)"))
    return diagram


_FLOWS: dict[str, Callable[[Part], Flow]] = {
    "kind": _kind,
    "score": _pairwise,
    "scale": _pairwise,
    "mask": _pairwise,
    "normalizer": _pairwise,
    "mixer": _pairwise,
    "weighting": _weighting,
    "activation": _gate,
    "features": _gate,
    "init": _init,
    "position": _position,
    "pooling": _pooling,
    "model": _model,
    "optimizer": _optimizer,
}


def _stream(diagram: Flow, name: str, lanes=_ALL, what: str = "one vector per position") -> None:
    diagram.row(data(name, f"(B, T, E), {what}", lanes))


def _embedded() -> Flow:
    diagram = Flow()
    diagram.row(data("ids", "(B, T)"))
    diagram.then(plain("embed", "embedding", "times sqrt(E)"))
    diagram.then(data("x", "(B, T, E)"))
    return diagram


def _split(diagram: Flow, part: Part, top: str) -> tuple[str, str, str]:
    """Add a row with q, k and v."""
    sizes = _sizes(part)
    shapes = {"q": (sizes["Q"], "T", "D"), "k": (sizes["K"], "S", "D")}
    shapes["v"] = (sizes["V"], "S", sizes["U"])
    split(diagram, top, {name: f"(B, {', '.join(shape)})" for name, shape in shapes.items()})
    return "q", "k", "v"


def _sizes(part: Part) -> dict[str, str]:
    """Return the names of the sizes around a part: H wherever the difference does not matter."""
    n = showing(part).sizes
    queries = "H" if n["Q"] == n["H"] else "Q"
    maps = queries if n["M"] == n["Q"] else "M"
    shared = n["K"] != n["H"]
    values = "U" if any("U" in array.shape.split() for array in part.learned.values()) else "D"
    return {
        "Q": queries,
        "M": maps,
        "K": "K" if shared else queries,
        "V": "K" if shared else "H",
        "U": values,
    }


def _step(part: Part, step: Step) -> Node | None:
    """Return a step of pairwise attention, or None if nothing happens that is worth a box."""
    mine = tuple(hook for hook in step.hooks if hook in part.hooks)
    home = step.slot == part.slot and not part.hooks
    if mine or home:
        node = _own(part, mine, f"{step.title} +" if _ADDING & set(mine) else f"{step.title}:")
        return replace(node, name=step.name)
    if not step.slot:
        return None
    what = "over the keys" if step is _AGGREGATE else SLOTS[step.slot].what
    return plain(step.name, step.title, what)


def _of(part: Part, slot: str, hooks: tuple[str, ...]) -> Node:
    """Return the step of a slot: the part itself, or a plain step for any other part."""
    return (
        _own(part, hooks, f"{slot}:") if part.slot == slot else plain(slot, slot, SLOTS[slot].what)
    )


def _own(part: Part, hooks: tuple[str, ...], title: str, lanes=(0, 1)) -> Node:
    """Return a step that the part performs: its label, its functions, and their inputs."""
    mine = [hook for hook in hooks if hook in part.hooks]
    calls = [Text(f"{hook}({', '.join(part.arguments(hook))})", 7.0, mono=True) for hook in mine]
    texts = (Text(f"{title} {part.label}", bold=True), *calls)
    if WHOLE & set(mine):
        texts = (*texts, Text(part.formula, 8.0, mono=True))
    if not part.hooks:
        texts = (*texts, Text("the plain step, without a hook", 7.5))
    asked = dict.fromkeys(name for hook in mine for name in part.arguments(hook))
    chips = tuple(_chip(part, name) for name in asked if name in {**part.learned, **part.settings})
    return Node(part.slot, "own", texts, lanes, chips)


def _chip(part: Part, name: str) -> Chip:
    if name in part.learned:
        return Chip("array", f"{name} {words.shape(part.learned[name])}")
    return Chip("setting", f"{name} = {words.default(part.settings[name])}")


def _asked(part: Part, step: Step, sources: dict[str, str]) -> list[Edge]:
    """Return arrows from the further inputs of the hooks of a step, besides the one from above."""
    asked = {name for hook in step.hooks if hook in part.hooks for name in part.arguments(hook)}
    return [Edge(where, step.name, "left") for name, where in sources.items() if name in asked]
