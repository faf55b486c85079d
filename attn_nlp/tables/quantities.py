"""The numbers that a result table can show.

Measured costs are not among them, so that a table is the same to the byte after a resume; they have
a table of their own (`views/cost.py`).
"""

from __future__ import annotations

from attn_nlp.errors import unknown
from attn_nlp.tables.grid import Quantity

_METRICS = {
    "accuracy": {"unit": "%", "points": "points", "scale": 100.0},
    "macro_f1": {"unit": "%", "points": "points", "scale": 100.0},
    "matthews": {"decimals": 3},
    "f1": {"unit": "%", "points": "points", "scale": 100.0},
    "loss": {"unit": "nats", "points": "nats", "decimals": 3, "higher_is_better": False},
    "ece": {"decimals": 3, "higher_is_better": False},
}
_LABELS = {
    "macro_f1": "macro F1",
    "matthews": "Matthews correlation",
    "f1": "F1 of the positive class",
    "ece": "calibration error (ECE, 15 bins)",
}

QUANTITIES: dict[str, Quantity] = {
    f"{split}.{metric}": Quantity(
        f"{split}.{metric}", f"{split} {_LABELS.get(metric, metric)}", **style
    )
    for split in ("test", "validation")
    for metric, style in _METRICS.items()
}


def quantity(name: str) -> Quantity:
    """Return the quantity that a table's `value` names.

    Raises:
      UserError: no such quantity; the message names the nearest.

    Example:
      >>> quantity("test.macro_f1").label
      'test macro F1'
    """
    if name not in QUANTITIES:
        raise unknown("value of a table", name, QUANTITIES)
    return QUANTITIES[name]
