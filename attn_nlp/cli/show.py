"""Plain text for people: aligned columns, and numbers as they are said."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from attn_nlp import wording


def columns(rows: Sequence[Sequence[object]]) -> str:
    """Rows of cells, left-aligned by what a terminal shows; Chinese letters are two wide."""
    from rich.cells import cell_len

    texts = [[wording.clean(str(cell)) for cell in row] for row in rows]
    widths = [max(map(cell_len, column)) for column in zip(*texts, strict=True)]
    lines = (
        "  ".join(
            text + " " * (width - cell_len(text)) for text, width in zip(row, widths, strict=True)
        )
        for row in texts
    )
    return "\n".join(line.rstrip() for line in lines)


def counted(counts: Mapping[str, int]) -> str:
    """Counts in one phrase.

    Example:
      >>> counted({"done": 3, "failed": 0, "to do": 2})
      '3 done, 2 to do'
    """
    return ", ".join(f"{count} {what}" for what, count in counts.items() if count) or "no cells"


def as_text(value: object) -> str:
    """JSON for people and programs; what a terminal would obey is written as an escape."""
    return wording.escaped_json(json.dumps(value, indent=2, ensure_ascii=False))


def nested(value: Mapping, indent: str = "") -> str:
    """A mapping of mappings as indented lines."""
    lines = []
    for key, each in value.items():
        if isinstance(each, Mapping):
            lines += [wording.clean(f"{indent}{key}:"), nested(each, indent + "  ")]
        elif isinstance(each, list | tuple):
            lines.append(wording.clean(f"{indent}{key}: {', '.join(map(str, each))}"))
        else:
            lines.append(wording.clean(f"{indent}{key}: {'' if each is None else each}"))
    return "\n".join(line for line in lines if line)
