"""Plain text for people: aligned columns, counts and sizes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from attn_nlp import wording


def columns(rows: Sequence[Sequence[object]]) -> str:
    """Align the entries of rows to the left by their width in a terminal."""
    from rich.cells import cell_len

    texts = [[wording.clean(str(entry)) for entry in row] for row in rows]
    widths = [max(map(cell_len, column)) for column in zip(*texts, strict=True)]
    lines = (
        "  ".join(
            text + " " * (width - cell_len(text)) for text, width in zip(row, widths, strict=True)
        )
        for row in texts
    )
    return "\n".join(line.rstrip() for line in lines)


def counted(counts: Mapping[str, int]) -> str:
    """Write counts in one phrase.

    Example:
      >>> counted({"done": 3, "failed": 0, "to do": 2})
      '3 done, 2 to do'
    """
    return ", ".join(f"{count} {what}" for what, count in counts.items() if count) or "no cells"


def as_text(value: object) -> str:
    """Return JSON for people and programs, with control characters as escapes."""
    return wording.escaped_json(json.dumps(value, indent=2, ensure_ascii=False))
