"""A cell: everything that decides one training run, and nothing else.

A cell is a frozen dataclass of plain values. Paths such as "attention.scale" address its fields,
on axes, in table rows and on the command line. Numeric fields leave shapes and code alone and
enter the compiled program as arguments; all others shape the program.

Defaults never change once released: identity leaves out a field that has the default with which it
was introduced, so that a new field keeps old rows valid.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod
from operator import itemgetter
from types import MappingProxyType
from typing import Any

from attn_nlp.errors import UserError, unknown
from attn_nlp.experiment.compatibility import check_products
from attn_nlp.experiment.data_names import spelled
from attn_nlp.parts import values
from attn_nlp.parts.selection import Choice, canonical, choose_all
from attn_nlp.parts.values import plain, shown, spread
from attn_nlp.wording import with_article

# The order of all sentences of a training run is drawn beforehand, 4 bytes each.
MOST_SENTENCES = 10**9
DRAWN_TOGETHER = 50  # batches, however few are wanted


def _part(default: str, slot: str, help: str):
    return field(default=default, metadata={"slot": slot, "help": help})


def _number(default: float, help: str, *, low: float = 0.0, high: float = float("inf")):
    return field(default=default, metadata={"numeric": (low, high), "help": help})


def _whole(
    default: Any, help: str, *, low: int = 1, high: int | None = None, multiple: int = 1
) -> Any:
    """Declare an integer; a default of None means what `help` says after the semicolon."""
    bounds = {"whole": low, "high": high, "multiple": multiple}
    return field(default=default, metadata={**bounds, "help": help})


@dataclass(frozen=True)
class Attention:
    """How a block passes information between positions: one part for each slot."""

    kind: str = _part("pairwise", "kind", "pairwise attention or another way to mix positions")
    score: str = _part("dot", "score", "compares a query with a key")
    scale: str = _part("rsqrt_dim", "scale", "multiplies the score")
    mask: str = _part("padding", "mask", "keys that a query may see, beyond padding")
    normalizer: str = _part("softmax", "normalizer", "turns logits into weights")
    mixer: str = _part("heads", "mixer", "applies the weights to the values; several by ' + '")
    init: str = _part("unit_variance", "init", "the first query and key weights")
    tie_qk: bool = field(default=False, metadata={"help": "queries and keys share their weights"})
    projection_bias: bool = field(default=False, metadata={"help": "biases in the projections"})
    dropout: float = _number(0.0, "rate at which attention weights are dropped", high=0.95)
    chunk: int | None = _whole(
        None, "queries and keys computed at once, a multiple of eight; all", low=8, multiple=8
    )

    def __post_init__(self) -> None:
        for path in _INNER:
            name = path.removeprefix("attention.")
            object.__setattr__(self, name, check_value(path, getattr(self, name)))


@dataclass(frozen=True)
class Cell:
    """One training run. Units: `length` in tokens, `steps` in updates of `batch_size` sentences."""

    model: str = _part("encoder", "model", "what learns and predicts")
    dataset: str = field(
        default="docstrings", metadata={"help": "a name, a Hub id 'owner/name', or a local path"}
    )
    split_seed: int = _whole(0, "draws the validation split where none is official", low=0)
    fold: int = _whole(0, "which of ten folds is test where no test is official", low=0, high=9)
    tokens: str = field(default="word", metadata={"help": "how a text becomes tokens"})
    vocabulary: int = _whole(8000, "tokens kept, at most; learned from train only", low=2)
    length: int = _whole(128, "tokens kept of a sentence, at most")
    layers: int = _whole(1, "encoder blocks")
    width: int = _whole(64, "width of the residual stream")
    heads: int = _whole(4, "attention heads")
    head_dim: int | None = _whole(None, "dimension of a head's queries and keys; width / heads")
    value_dim: int | None = _whole(None, "dimension of a head's values; head_dim")
    hidden: int | None = _whole(None, "width of the feed-forward layer; 4 * width")
    position: str = _part("sinusoidal", "position", "tells the positions of tokens")
    norm: str = field(default="pre", metadata={"choices": ("pre", "post"), "help": "layer norm"})
    pooling: str = _part("mean", "pooling", "pools token vectors into one")
    dropout: float = _number(0.1, "dropout rate on embeddings, blocks and pooled", high=0.95)
    attention: Attention = field(default_factory=Attention)
    steps: int = _whole(1000, "updates")
    batch_size: int = _whole(32, "sentences in a batch")
    optimizer: str = _part("adamw", "optimizer", "turns gradients into steps of the parameters")
    learning_rate: float = _number(1e-3, "peak of the schedule")
    warmup: float = field(default=0.1, metadata={"fraction": True, "help": "share of steps"})
    weight_decay: float = _number(0.01, "decoupled, on matrices only")
    clip: float = _number(1.0, "largest global norm of a gradient", low=1e-9)
    evaluate_every: int = _whole(100, "steps between evaluations of the validation split")
    seed: int = _whole(0, "initial weights, dropout and batch order", low=0, high=2**32 - 1)
    trial: bool = field(
        default=False, metadata={"help": "uses validation data only; the test split is not read"}
    )

    def __post_init__(self) -> None:
        if not isinstance(self.attention, Attention):
            raise UserError(
                f"attention is {shown(self.attention)}; give attention=Attention(score='additive')."
            )
        # One way to write every value, since the values take part in identity: 1 is kept as 1.0.
        for path in _OUTER:
            object.__setattr__(self, path, check_value(path, getattr(self, path)))
        self._check_widths()

    def _check_widths(self) -> None:
        chosen = self.choices
        if "fit" not in chosen["model"].part.hooks:
            self._check_sentences()
        if chosen["model"].part.hooks:  # it has no blocks
            return
        if self.head_dim is None and self.width % self.heads:
            below = max(self.width // self.heads, 1) * self.heads
            raise UserError(
                f"width {self.width} does not split into {self.heads} heads; choose a multiple of "
                f"{self.heads}, such as {below} or {below + self.heads}, or give "
                "head_dim."
            )
        defaults = {path: info["default"] for path, info in PATHS.items() if "slot" in info}
        check_products(chosen, self.sizes, defaults, self.attention.tie_qk)

    def _check_sentences(self) -> None:
        sentences = max(self.steps, DRAWN_TOGETHER) * self.batch_size
        if sentences > MOST_SENTENCES:
            raise UserError(
                f"{self.steps:,} steps of {self.batch_size:,} sentences each need the order of "
                f"{sentences:,} sentences beforehand; allowed: at most {MOST_SENTENCES:,}. Give "
                "fewer steps or a smaller batch_size."
            )

    @functools.cached_property
    def sizes(self) -> MappingProxyType[str, int]:
        """The sizes that are known before any data: T, H, Q, K, M, D, U, E, F, N."""
        head_dim = self.head_dim or max(1, self.width // self.heads)
        sizes = {
            "T": self.length,
            "H": self.heads,
            "D": head_dim,
            "U": self.value_dim or head_dim,
            "E": self.width,
            "F": self.hidden or 4 * self.width,
            "N": self.layers,
        }
        mixers = [choice for choice in self.choices.values() if choice.part.slot == "mixer"]
        scores = [choice for choice in self.choices.values() if choice.part.slot == "score"]
        # Weight maps a head, such as the two that differential attention subtracts.
        sizes["Q"] = self.heads * prod(int(mixer.fact("maps", sizes, 1)) for mixer in mixers)
        sizes["K"] = min(int(mixer.fact("key_heads", sizes, self.heads)) for mixer in mixers)
        sizes["M"] = sizes["Q"] * prod(int(score.fact("features", sizes, 1)) for score in scores)
        return MappingProxyType(sizes)

    @functools.cached_property
    def choices(self) -> Mapping[str, Choice]:
        """The chosen parts by path; of several in one slot, by path and position.

        They are parsed once, and stay those that were registered at that time.
        """
        chosen = {}
        for path, slot in _SLOTS.items():
            several = choose_all(slot, str(get(self, path)))
            for position, choice in enumerate(several):
                chosen[f"{path}.{position}" if len(several) > 1 else path] = choice
        return MappingProxyType(chosen)

    def __getstate__(self) -> dict[str, object]:
        """Return the fields alone, since parsed parts are functions of this process."""
        return {item.name: getattr(self, item.name) for item in dataclasses.fields(self)}

    def numeric(self) -> dict[str, float]:
        """Return what enters the compiled program as an argument, by path."""
        values = {path: float(get(self, path)) for path in PATHS if "numeric" in PATHS[path]}
        for path, choice in self.choices.items():
            values |= choice.numeric(self.sizes, path)
        return values

    def program(self) -> dict[str, object]:
        """Return what decides the compiled program: plain values, equal if cells share it."""
        static = {
            path: get(self, path)
            for path, info in PATHS.items()
            if "numeric" not in info and "slot" not in info and path not in _HOST
        }
        static |= {path: choice.program(self.sizes) for path, choice in self.choices.items()}
        # A program draws its first weights as the cell that it was made for, and the numbers of
        # an optimizer are constants in it, so that Optax may branch on them.
        static |= {path: v for path, v in self.numeric().items() if path.startswith(_FIRST)}
        # A rate of zero compiles to no dropout at all.
        static |= {f"{path} > 0": get(self, path) > 0 for path in _RATES}
        return static

    def replace(self, settings: Mapping[str, object]) -> Cell:
        """Return this cell with other settings, given by path.

        Raises:
          UserError: an unknown path or a value that its field does not allow.
        """
        flat = flatten(self) | {path: check_value(path, value) for path, value in settings.items()}
        return unflatten(flat)


# An argument of the program, and what only the host reads.
_HOST = ("seed", "evaluate_every", "fold", "trial")
_FIRST = ("attention.init.", "optimizer.")
_RATES = ("dropout", "attention.dropout")


def _fields(cls, prefix: str = "") -> dict[str, dict]:
    by_path = {}
    for item in dataclasses.fields(cls):
        if item.name == "attention":
            by_path |= _fields(Attention, "attention.")
        else:
            by_path[prefix + item.name] = {**item.metadata, "default": item.default}
    return by_path


PATHS: dict[str, dict] = _fields(Cell)
_INNER = tuple(path for path in PATHS if path.startswith("attention."))
_OUTER = tuple(path for path in PATHS if path not in _INNER)
_SHARED = tuple(p for p, info in PATHS.items() if "numeric" not in info and p not in _HOST)
_SHAPING = itemgetter(*_SHARED)
_SLOTS: dict[str, str] = {path: info["slot"] for path, info in PATHS.items() if "slot" in info}


def flatten(cell: Cell) -> dict[str, object]:
    """Return every field by path, in the order of the class."""
    return {path: get(cell, path) for path in PATHS}


def unflatten(flat: Mapping[str, object]) -> Cell:
    """Return the cell with the fields given by path."""
    outer, inner = _split(flat)
    return Cell(**outer, attention=Attention(**inner))  # type: ignore[arg-type]


def shape_of(settings: Mapping[str, object]) -> tuple:
    """Return a key of what cells of one program and of the same parts and sizes share.

    It is equal for cells that differ in numbers alone, or in what only the host reads.

    Args:
      settings: of a cell by path.
    """
    try:
        shared = _SHAPING(settings)
    except KeyError:  # stored before a field was added
        shared = tuple(settings.get(path) for path in _SHARED)
    return shared, *(bool(settings.get(path)) for path in _RATES)


def _split(flat: Mapping[str, object]) -> tuple[dict[str, object], dict[str, object]]:
    prefix = "attention."
    outer = {path: value for path, value in flat.items() if not path.startswith(prefix)}
    inner = {path.removeprefix(prefix): v for path, v in flat.items() if path.startswith(prefix)}
    return outer, inner


def get(cell: Cell, path: str):
    """Return the field that a path addresses."""
    owner, _, name = path.rpartition(".")
    return getattr(cell.attention if owner else cell, name)


def check_path(path: str, what: str = "setting") -> str:
    """Return the path, if it addresses a field.

    Raises:
      UserError: there is no such field; the message names the nearest.
    """
    if not isinstance(path, str):
        raise UserError(f"{what} is {shown(path)}; give a path, such as 'heads'.")
    if path in PATHS:
        return path
    if f"attention.{path}" in PATHS:
        raise UserError(f"unknown {what} {path!r}. Did you mean 'attention.{path}'?")
    if path.removeprefix("attention.") in PATHS:
        raise UserError(
            f"unknown {what} {path!r}. Did you mean {path.removeprefix('attention.')!r}?"
        )
    raise unknown(what, path, PATHS)


def check_value(path: str, value: object) -> object:
    """Return a value as its field keeps it.

    Raises:
      UserError: an unknown path, or a value that its field does not allow.
    """
    info = PATHS[check_path(path)]
    if values.is_several(value):
        raise UserError(
            f"{path} is {shown(value)}; it takes one value. To run several, write "
            f"vary({path!r}, {spread(value)})."
        )
    value = plain(value)
    if "slot" in info:
        if not isinstance(value, str):
            raise UserError(
                f"{path} names {with_article(info['slot'])}; {shown(value)} is no name."
            )
        return canonical(info["slot"], value)
    if "numeric" in info or "fraction" in info:
        return values.number(path, value, *info.get("numeric", (0.0, 1.0)))
    if "whole" in info:
        if value is None and info["default"] is None:
            return None
        kept = values.whole(path, value, info["whole"], info["high"])
        if kept % info["multiple"]:
            fits = kept - kept % info["multiple"]
            raise UserError(
                f"{path} is {kept}; allowed: multiples of {info['multiple']}, such as {fits}."
            )
        return kept
    if "choices" in info:
        if value not in info["choices"]:
            raise unknown(path, value, info["choices"])
        return value
    if path == "dataset":
        return spelled(value)
    if not isinstance(value, type(info["default"])):
        raise UserError(f"{path} is {shown(value)}; expected {type(info['default']).__name__}.")
    return values.line(path, value) if isinstance(value, str) else value


def parse(path: str, text: str) -> object:
    """Return the value that a text on the command line means.

    Raises:
      UserError: an unknown path, or a text that its field does not allow.
    """
    info = PATHS[check_path(path)]
    if text == "None" and info["default"] is None:
        return None
    try:
        if "numeric" in info or "fraction" in info:
            return check_value(path, float(text))
        if "whole" in info:
            return check_value(path, int(text))
    except UserError:
        raise
    except ValueError:
        kind = "an integer" if "whole" in info else "a number"
        raise UserError(f"{path} is {kind}, not {shown(text)}.") from None
    if isinstance(info["default"], bool):
        if text.lower() not in ("true", "false"):
            raise UserError(f"{path} is {shown(text)}; allowed: true, false.")
        return text.lower() == "true"
    return check_value(path, text)
