"""The plate: three mechanisms side by side, distinguishable without a caption.

    1  SE attention (token gate)      one weight per position, weighted sum of the features
    2  self-attention, query mix      weighted values, then a weighted sum with the query
    3  scaled dot-product attention   similarity of queries and keys, scaled and normalized

The distinctive steps are highlighted. The formulas at the bottom are those of the registry.
"""

from __future__ import annotations

from attn_nlp.figures.drawing import Drawing, Text, stacked
from attn_nlp.figures.layout import Edge, Flow, Node, data, lay_out, plain, split
from attn_nlp.parts.registry import find

MARGIN, BETWEEN = 18.0, 36.0
_ALL = (0, 2)
_WIDTH = 316.0  # three lanes
_SIDE = 26.0  # room for arrows next to the lanes
# Levels of gray, of no particular sentence: each query has its own weights, or all share one row.
_ROW = ((0.15, 0.95, 0.3, 0.05, 0.7, 0.1, 0.5, 0.2),)
_MATRIX = (
    (0.9, 0.1, 0.05, 0.3, 0.05, 0.1),
    (0.1, 0.2, 0.8, 0.1, 0.4, 0.05),
    (0.05, 0.7, 0.1, 0.1, 0.2, 0.6),
    (0.4, 0.05, 0.1, 0.9, 0.05, 0.1),
    (0.1, 0.1, 0.5, 0.05, 0.2, 0.8),
    (0.3, 0.6, 0.05, 0.1, 0.7, 0.1),
)


def plate() -> Drawing:
    """Return the three mechanisms on one page."""
    drawing = Drawing("plate", "Three mechanisms of attention")
    columns = (
        (
            "1  SE attention (token gate)",
            "A token is weighted by what it is. No two tokens are compared.",
            _gate(),
            [("", "pooling", "se_token")],
        ),
        (
            "2  Self-attention with query mix",
            "A token asks all others, and keeps its question next to the answer.",
            _mix(),
            [("", "score", "dot"), ("", "normalizer", "softmax"), ("", "mixer", "query_mix")],
        ),
        (
            "3  Scaled dot-product attention",
            "A token asks all others. The similarity of query and key decides.",
            _scaled(),
            [("", "score", "dot"), ("or ", "score", "bilinear"), ("", "kind", "pairwise")],
        ),
    )
    laid = [lay_out(flow) for *_, flow, _ in columns]
    lowest = max(box.bottom for boxes, _ in laid for box in boxes)
    x = MARGIN
    for (title, sentence, _, parts), (boxes, arrows) in zip(columns, laid, strict=True):
        left = min(box.x for box in boxes)
        head = stacked(
            0, 0, _WIDTH, [Text(title, 13, bold=True), Text(sentence, 9)], centered=False
        )
        below = MARGIN + head.height + 8.0
        drawing.add([head], dx=x + _SIDE, dy=MARGIN)
        drawing.add(boxes, arrows, x + _SIDE - left, below)
        formulas = "\n".join(word + find(*address).formula for word, *address in parts)
        text = [Text(formulas, 7.5, mono=True)]
        under = stacked(0, 0, _WIDTH, text, "formula", centered=False)
        drawing.add([under], dx=x + _SIDE, dy=below + lowest + 16.0)
        x += _WIDTH + 2 * _SIDE + BETWEEN - _SIDE
    drawing.trim(MARGIN)
    return drawing


def _gate() -> Flow:
    diagram = Flow()
    diagram.row(_data("x", "(B, T, E), one vector per position"))
    diagram.then(_step("feed-forward", "a linear layer and a ReLU, position by position"))
    diagram.then(_data("features f", "(B, T, E)"))
    diagram.then(_own("linear + activation", "w . f[t] + b, then a sigmoid or softmax"))
    diagram.then(_data("one weight per position", "(B, T)", grid=_ROW))
    total = _own("weighted sum of the features", "sum over t of weight[t] f[t]")
    diagram.then(total, Edge("features f", total.name, "right"))
    diagram.then(_data("context c", "(B, E), one vector per sentence"))
    return diagram


def _mix() -> Flow:
    diagram = Flow()
    _split(diagram)
    diagram.row(_step("dot-product scores", "q[t] . k[s]", (0, 1)))
    diagram.edges += [Edge(name, "dot-product scores", lane=n) for n, name in enumerate("qk")]
    diagram.then(_step("softmax", "over the keys", (0, 1)))
    _apply(diagram)
    mixed = _own("weighted sum with the query", "lambda attention + (1 - lambda) q")
    diagram.then(mixed, Edge("q", mixed.name, "left"))
    diagram.then(_data("out", "(B, H, T, D), one vector per position"))
    return diagram


def _scaled() -> Flow:
    diagram = Flow()
    _split(diagram)
    diagram.row(_own("similarity", "dot product q . k, or bilinear q W k", (0, 1)))
    diagram.edges += [Edge(name, "similarity", lane=n) for n, name in enumerate("qk")]
    diagram.then(_own("scale", "times 1/sqrt(D)", (0, 1)))
    diagram.then(_step("normalize", "softmax over the keys", (0, 1)))
    _apply(diagram)
    return diagram


def _split(diagram: Flow) -> None:
    diagram.row(_data("x", "(B, T, E), one vector per position"))
    shapes = {"q": "(B, H, T, D)", "k": "(B, H, S, D)", "v": "(B, H, S, D)"}
    split(diagram, "x", shapes)


def _apply(diagram: Flow) -> None:
    """Add the weights of every pair, and their application to the values."""
    diagram.then(data("one weight per pair of positions", "(B, H, T, S)", grid=_MATRIX))
    total = _step("weighted sum of the values", "sum over s of weight[t, s] v[s]")
    diagram.then(total, Edge("v", total.name, lane=2))
    diagram.then(_data("attention", "(B, H, T, D), one vector per position"))


def _data(name: str, what: str, grid=()) -> Node:
    return data(name, what, _ALL, grid)


def _step(name: str, what: str, lanes=_ALL) -> Node:
    return plain(name, name, what, lanes)


def _own(name: str, what: str, lanes=_ALL) -> Node:
    return Node(name, "own", (Text(name, bold=True), Text(what, 7.5)), lanes)
