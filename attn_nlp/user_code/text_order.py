"""Whether code may do another thing where Python hashes texts by another seed."""

from __future__ import annotations

import ast

_HASHING = {"hash", "set", "frozenset"}


def hangs_on_hashes(tree: ast.Module) -> bool:
    """Whether code names `hash`, or makes a set of which more is asked than what is in it."""
    asked = {
        each
        for node in ast.walk(tree)
        if isinstance(node, ast.Compare)
        for operator, each in zip(node.ops, node.comparators, strict=True)
        if isinstance(operator, ast.In | ast.NotIn)
    }
    return any(
        (isinstance(node, ast.Name) and node.id in _HASHING)
        or (isinstance(node, ast.Set | ast.SetComp) and node not in asked)
        for node in ast.walk(tree)
    )
