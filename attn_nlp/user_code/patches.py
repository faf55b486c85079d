"""Find where the user's code replaces something in a library on which every result depends.

A cell of built-in parts has no hash of the experiment file, so a patched library would change its
result, but not its identity.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from attn_nlp.user_code.code_text import parsed

DECIDING = ("attn_nlp", "numpy", "jax", "flax", "optax", "datasets", "tokenizers", "sklearn")


def patches(file: str) -> Iterator[tuple[int, str]]:
    """Yield (line, what is replaced) for statements such as `attn_nlp.data.batches.WINDOW = 1`."""
    tree = parsed(file)
    if tree is None:
        return
    bound: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                name = alias.name if alias.asname else alias.name.partition(".")[0]
                bound[alias.asname or name] = name
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            bound |= {a.asname or a.name: f"{node.module}.{a.name}" for a in node.names}
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(ctx=ast.Store() | ast.Del()):
                replaced = _dotted(node, bound)
            case ast.Call(
                func=ast.Name(id="setattr" | "delattr"),
                args=[first, ast.Constant(value=str(name)), *_],
            ):
                replaced = _dotted(first, bound) and f"{_dotted(first, bound)}.{name}"
            case _:
                continue
        if replaced.partition(".")[0] in DECIDING:
            yield node.lineno, replaced


def _dotted(node: ast.expr, bound: dict[str, str]) -> str:
    """Return the whole name of an attribute of something imported, or ""."""
    if isinstance(node, ast.Name):
        return bound.get(node.id, "")
    if isinstance(node, ast.Attribute):
        owner = _dotted(node.value, bound)
        return f"{owner}.{node.attr}" if owner else ""
    return ""
