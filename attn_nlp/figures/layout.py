"""Data flow from top to bottom: nodes in rows, on three lanes for q, k and v.

An arrow either goes straight down, or leaves a node at its side, runs down a gutter and enters
another node at the same side. The learned arrays and settings that a node uses are next to it, with
an arrow into it: at the left, or, once the lane of v has ended, at the right.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from attn_nlp.figures.drawing import Arrow, Box, Text, height_of, stacked, wrap

LANE, BETWEEN = 96.0, 14.0  # width of a lane, space between two
GAP = 17.0  # between rows, for an arrow
ASIDE = 122.0  # width of the boxes next to a node
GUTTER = 13.0  # between lines that run down next to the lanes
_ENTRY = 9.0  # between arrows that enter at one side
_BETWEEN_CHIPS = 5.0


@dataclass(frozen=True)
class Chip:
    """A learned array or a setting, next to the node that uses it."""

    look: str
    what: str


@dataclass(frozen=True)
class Node:
    """A box of the flow.

    Attributes:
      name: by which arrows refer to it.
      look: "data", "step" or "own".
      texts: its content.
      lanes: first and last.
      chips: the arrays and settings that it uses.
      aside: the side of the chips, "left" or "right".
      grid: see `Box`.
    """

    name: str
    look: str
    texts: tuple[Text, ...]
    lanes: tuple[int, int] = (0, 1)
    chips: tuple[Chip, ...] = ()
    aside: str = "left"
    grid: tuple[tuple[float, ...], ...] = ()


@dataclass(frozen=True)
class Edge:
    """An arrow between nodes: straight "down" (on a lane if given), "left" or "right"."""

    start: str
    end: str
    way: str = "down"
    lane: int | None = None


@dataclass
class Flow:
    """Rows of nodes from the top, and arrows."""

    rows: list[tuple[Node, ...]] = field(default_factory=list)
    edges: list[Edge] = field(default_factory=list)

    def row(self, *nodes: Node) -> None:
        """Add a row below the others."""
        self.rows.append(nodes)

    def then(self, node: Node, *more: Edge) -> None:
        """Add a node below, with an arrow from the last node of the chain and other arrows."""
        last = self.rows[-1][0].name
        self.row(node)
        self.edges += [Edge(last, node.name), *more]

    def nodes(self) -> Iterable[Node]:
        """Return all nodes from the top."""
        return (node for row in self.rows for node in row)


def data(name: str, what: str, lanes=(0, 1), grid=()) -> Node:
    """Return a node for an array."""
    return Node(name, "data", (Text(name, bold=True), Text(what, 7.5)), lanes, grid=grid)


def plain(name: str, title: str, what: str, lanes=(0, 1)) -> Node:
    """Return a node for a step that the figure is not about."""
    return Node(name, "step", (Text(title), Text(what, 7.5, gray=True)), lanes)


def split(flow: Flow, top: str, shapes: Mapping[str, str]) -> None:
    """Add a row of arrays that are linear in the node `top`."""
    nodes = [
        Node(
            name,
            "data",
            (Text(name, bold=True), Text(shape, 7.5), Text("linear in x", 7.5)),
            (lane, lane),
        )
        for lane, (name, shape) in enumerate(shapes.items())
    ]
    flow.row(*nodes)
    flow.edges += [Edge(top, node.name, lane=lane) for lane, node in enumerate(nodes)]


def lay_out(flow: Flow) -> tuple[list[Box], list[Arrow]]:
    """Return boxes and arrows of a flow; its upper left corner is at (0, 0)."""
    gutters = sum(edge.way == "left" for edge in flow.edges)
    chips = any(node.chips and node.aside == "left" for node in flow.nodes())
    start = (ASIDE if chips else 0.0) + GUTTER * (gutters + 1 if gutters or chips else 0)
    placed, boxes, arrows, y = {}, [], [], 0.0
    for row in flow.rows:
        height = max(_height(node, flow.edges) for node in row)
        for node in row:
            box = _box(node, start, y, height)
            placed[node.name] = box
            asides, entries = _beside(node, box, start, flow.edges)
            boxes += [box, *asides]
            arrows += entries
        y += height + GAP
    return boxes, [*arrows, *_arrows(flow.edges, placed, start)]


def _left(start: float, lane: int) -> float:
    return start + lane * (LANE + BETWEEN)


def _width(lanes: tuple[int, int]) -> float:
    count = lanes[1] - lanes[0] + 1
    return count * LANE + (count - 1) * BETWEEN


def _height(node: Node, edges: Sequence[Edge]) -> float:
    own = height_of(wrap(node.texts, _width(node.lanes)), node.grid)
    entering = sum(edge.end == node.name and edge.way == node.aside for edge in edges)
    heights = [_chip(chip).height for chip in node.chips]
    chips = sum(heights) + _BETWEEN_CHIPS * (len(heights) - 1) if heights else 0.0
    return max(own, chips + _ENTRY * (entering + 1) if entering and chips else chips)


def _box(node: Node, start: float, y: float, height: float) -> Box:
    x, width = _left(start, node.lanes[0]), _width(node.lanes)
    return Box(x, y, width, height, wrap(node.texts, width), node.look, grid=node.grid)


def _chip(chip: Chip) -> Box:
    return stacked(0.0, 0.0, ASIDE, [Text(chip.what, 7.5)], chip.look)


def _beside(node: Node, box: Box, start: float, edges: Sequence[Edge]):
    """Return the boxes of a node's chips, and their arrows into it."""
    chips = [_chip(chip) for chip in node.chips]
    if not chips:
        return [], []
    total = sum(chip.height for chip in chips) + _BETWEEN_CHIPS * (len(chips) - 1)
    entering = any(edge.end == node.name and edge.way == node.aside for edge in edges)
    y = box.bottom - total if entering else box.y + (box.height - total) / 2
    boxes, arrows = [], []
    for chip in chips:
        left = node.aside == "left"
        placed = chip.moved(0.0 if left else _left(start, node.lanes[1] + 1), y)
        at = placed.y + placed.height / 2
        ends = (placed.right, box.x) if left else (placed.x, box.right)
        boxes.append(placed)
        arrows.append(Arrow(((ends[0], at), (ends[1], at))))
        y += placed.height + _BETWEEN_CHIPS
    return boxes, arrows


def _arrows(edges: Sequence[Edge], placed: dict[str, Box], start: float) -> list[Arrow]:
    arrows, used, gutters = [], {}, {"left": 0, "right": 0}
    outer = max(box.right for box in placed.values())
    for edge in edges:
        one, other = placed[edge.start], placed[edge.end]
        if edge.way == "down":
            x = _shared(one, other) if edge.lane is None else _left(start, edge.lane) + LANE / 2
            arrows.append(Arrow(((x, one.bottom), (x, other.y))))
            continue
        gutters[edge.way] += 1
        entries = used[edge.end, edge.way] = used.get((edge.end, edge.way), 0) + 1
        leaves = used[edge.start, "out"] = used.get((edge.start, "out"), 0) + 1
        level, at = one.y + _level(one, leaves), other.y + _level(other, entries)
        if edge.way == "left":
            x, ends = start - GUTTER * gutters["left"], (one.x, other.x)
        else:
            x, ends = outer + GUTTER * gutters["right"], (one.right, other.right)
        arrows.append(Arrow(((ends[0], level), (x, level), (x, at), (ends[1], at))))
    return arrows


def _level(box: Box, number: int) -> float:
    """Return the distance from the top at which an arrow leaves or enters the side of a box."""
    return min(_ENTRY * number, box.height - 3.0) if box.height > 2.5 * _ENTRY else box.height / 2


def _shared(one: Box, other: Box) -> float:
    """Return the x-coordinate of a vertical arrow: the middle of the narrower box."""
    return min(one, other, key=lambda box: box.width).middle
