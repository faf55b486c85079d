"""The data flow of every slot, with one part at the places where the code runs its hooks.

The steps of pairwise attention stand in the order of `nn/pairwise.py`. A part is asked for its
hooks, its facts and the arguments of its functions, never for its name. A part without hooks leaves
its own slot's step as it is, and that step is highlighted.
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
# Hooks that do all there is to see: the formula then stands in the flow itself.
WHOLE = frozenset({"block", "attend", "pool", "read"})


@dataclass(frozen=True)
class Step:
    """A step of pairwise attention: the hooks that run there, and whose slot it is."""

    name: str
    hooks: tuple[str, ...]
    title: str
    slot: str = ""  # whose home it is; a step without one is drawn only where a part acts


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
_AGGREGATE = Step("aggregate", ("aggregate",), "sum of the values, weighted", "kind")
_MIXER = Step("finish", ("finish",), "mixer", "mixer")
_ADDING = {"relate", "aggregate"}  # hooks whose result is added to a step that goes on without it


def flow(part: Part) -> Flow:
    """The data flow around a part."""
    made = _FLOWS[part.slot](part)
    if WHOLE & set(part.hooks):  # a formula needs room; only q, k and v stand side by side
        made.rows = [
            tuple(replace(node, lanes=_ALL) for node in row) if len(row) == 1 else row
            for row in made.rows
        ]
    return made


def _pairwise(part: Part) -> Flow:
    made = Flow()
    _stream(made, "x")
    if "embed" in part.hooks:
        made.then(_own(part, ("embed",), f"{part.slot}:", _ALL))
        made.then(data("x'", "(B, T, E)", _ALL))
    top = made.rows[-1][0].name
    q, k, v = _split(made, part, top)
    last = (q, k)
    for step in _BEFORE_LOGITS:
        node = _step(part, step)
        if node is not None:
            made.row(node)
            ends = zip(last, (0, 1), strict=True)
            made.edges += [Edge(end, node.name, lane=lane) for end, lane in ends]
            last = (node.name, node.name)
    prepared = last[0] if last[0] == "prepare" else _prepared(made, q)
    letters = _letters(part)
    made.then(data("logits", f"(B, {letters['M']}, T, S)"))
    for step in _BEFORE_WEIGHTS:
        node = _step(part, step)
        if node is not None:
            made.then(node, *_asked(part, step, {"q": prepared}))
    made.then(data("weights", f"(B, {letters['M']}, T, S)"))
    node = _step(part, _REWEIGHT)
    if node is not None:
        made.then(node)
    spend = _step(part, _AGGREGATE)
    assert spend is not None
    made.then(replace(spend, lanes=_ALL), Edge(v, "aggregate", lane=2))
    made.then(data("out", f"(B, H, T, {letters['U']})"))
    mixer = _step(part, _MIXER)
    assert mixer is not None
    sources = {"q_raw": q, "x": top}
    made.then(replace(mixer, aside="right"), *_asked(part, _MIXER, sources))
    made.then(data("y", "(B, T, E), linear in the heads"))
    return made


def _prepared(made: Flow, q: str) -> str:
    """Where q comes from once it is prepared."""
    return "prepare" if any(node.name == "prepare" for node in made.nodes()) else q


def _kind(part: Part) -> Flow:
    if not part.hooks:
        return _pairwise(part)
    made = Flow()
    _stream(made, "x")
    if "block" in part.hooks:
        made.then(_own(part, ("block",), f"{part.slot}:", _ALL))
        made.then(data("y", "(B, T, E)", _ALL))
        return made
    names = _split(made, part, "x")
    made.row(_own(part, ("attend",), f"{part.slot}:", _ALL))
    made.edges += [Edge(name, part.slot, lane=lane) for lane, name in enumerate(names)]
    made.then(data("out", f"(B, H, T, {_letters(part)['U']})", _ALL))
    made.then(data("y", "(B, T, E), linear in the heads", _ALL))
    return made


def _position(part: Part) -> Flow:
    if part.hooks and set(part.hooks) != {"embed"}:
        return _pairwise(part)
    made = _embedded()
    made.then(_own(part, ("embed",), f"{part.slot}:"))
    made.then(data("x'", "(B, T, E)"))
    made.then(plain("blocks", "blocks", "attention and feed-forward, N times"))
    return made


def _pooling(part: Part) -> Flow:
    made = Flow()
    _stream(made, "x", (0, 1), "after the last block")
    made.then(_own(part, ("pool",), f"{part.slot}:"))
    made.then(data("c", "(B, E)"))
    made.then(plain("head", "class head", "linear"))
    made.then(data("class_logits", "(B, C)"))
    return made


def _gate(part: Part) -> Flow:
    """Features and activations act in the token gate."""
    made = Flow()
    _stream(made, "x", (0, 1))
    made.then(_of(part, "features", ("features",)))
    made.then(data("f", "(B, T, E), features"))
    made.then(plain("gate", "w . f[t] + b", "one number a position"))
    made.then(data("logits", "(B, T)"))
    made.then(_of(part, "activation", ("activate",)))
    made.then(data("weights", "(B, T)"))
    sums = plain("sum", "sum of the features, weighted", "over positions")
    made.then(sums, Edge("f", "sum", "right"))
    made.then(data("c", "(B, E), context"))
    return made


def _weighting(part: Part) -> Flow:
    made = Flow()
    out = data("out", "(B, H, T, D), attention", (1, 1))
    made.row(data("q", "(B, H, T, D), query", (0, 0)), out)
    made.row(_own(part, ("weigh",), f"{part.slot}:"))
    asked = part.arguments("weigh")
    lanes = [("q", 0)] * ("q_raw" in asked) + [("out", 1)] * ("out" in asked)
    made.edges += [Edge(name, part.slot, lane=lane) for name, lane in lanes]
    made.then(data("lambda", "broadcastable to (B, H, T, D)"))
    mix = plain("mix", "lambda out + (1 - lambda) q", "the mix")
    made.then(mix, Edge("q", "mix", "left"), Edge("out", "mix", "right"))
    made.then(data("mixed", "(B, H, T, D)"))
    return made


def _init(part: Part) -> Flow:
    made = Flow()
    made.row(data("fan_in, fan_out", "E and Q D, the sizes of a linear map"))
    made.then(_own(part, ("std",), f"{part.slot}:"))
    made.then(data("s", "a standard deviation"))
    made.then(plain("draw", "draw N(0, s²)", "from the cell's seed"))
    made.then(data("W", "(E, Q D), for q and for k"))
    return made


def _optimizer(part: Part) -> Flow:
    made = Flow()
    made.row(data("grads", "one for each parameter"))
    made.then(plain("clip", "clip by global norm", "at most `clip`"))
    made.then(_own(part, ("transform",), f"{part.slot}:"))
    made.then(data("updates", "added to the parameters"))
    return made


def _model(part: Part) -> Flow:
    made = Flow()
    if "fit" in part.hooks:
        made.row(data("texts and labels", "of the training split"))
        made.then(_own(part, ("fit",), f"{part.slot}:"))
        made.then(data("class_logits", "of the test split"))
        return made
    made = _embedded()
    if "read" in part.hooks:
        made.then(_own(part, ("read",), f"{part.slot}:"))
        made.then(data("c", f"(B, {part.facts.get('features', 'E')})"))
    else:
        made.then(plain("position", "position", SLOTS["position"].what))
        blocks = _own(part, (), "blocks:")
        what = Text("attention and feed-forward, N times", 7.5)
        made.then(replace(blocks, texts=(blocks.texts[0], what)))
        made.then(plain("pooling", "pooling", SLOTS["pooling"].what))
        made.then(data("c", "(B, E)"))
    made.then(plain("head", "class head", "linear"))
    made.then(data("class_logits", "(B, C)"))
    return made


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


def _stream(made: Flow, name: str, lanes=_ALL, what: str = "one vector a position") -> None:
    made.row(data(name, f"(B, T, E), {what}", lanes))


def _embedded() -> Flow:
    made = Flow()
    made.row(data("ids", "(B, T)"))
    made.then(plain("embed", "embedding", "times sqrt(E)"))
    made.then(data("x", "(B, T, E)"))
    return made


def _split(made: Flow, part: Part, top: str) -> tuple[str, str, str]:
    """q, k and v in a row of their own."""
    n = _letters(part)
    sizes = {"q": (n["Q"], "T", "D"), "k": (n["K"], "S", "D"), "v": (n["V"], "S", n["U"])}
    split(made, top, {name: f"(B, {', '.join(size)})" for name, size in sizes.items()})
    return "q", "k", "v"


def _letters(part: Part) -> dict[str, str]:
    """Letters for the sizes around a part: H wherever it is all the same to a reader."""
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
    """A step of pairwise attention; None where nothing happens that was worth a box."""
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
    """The step of a slot: the part, or whatever part stands there."""
    return (
        _own(part, hooks, f"{slot}:") if part.slot == slot else plain(slot, slot, SLOTS[slot].what)
    )


def _own(part: Part, hooks: tuple[str, ...], title: str, lanes=(0, 1)) -> Node:
    """A step that the part does: its label, its functions, what they ask for."""
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
    """Arrows from what the hooks of a step ask for beside what comes from above."""
    asked = {name for hook in step.hooks if hook in part.hooks for name in part.arguments(hook)}
    return [Edge(where, step.name, "left") for name, where in sources.items() if name in asked]
