"""Detect code whose results may depend on the seed with which Python hashes strings."""

from __future__ import annotations

import ast

_HASHING = {"hash", "set", "frozenset"}


def hangs_on_hashes(tree: ast.Module) -> bool:
    """Return whether code names `hash`, or makes a set and does more than test for membership."""
    asked = {
        operand
        for node in ast.walk(tree)
        if isinstance(node, ast.Compare)
        for operator, operand in zip(node.ops, node.comparators, strict=True)
        if isinstance(operator, ast.In | ast.NotIn)
    }
    return any(
        (isinstance(node, ast.Name) and node.id in _HASHING)
        or (isinstance(node, ast.Set | ast.SetComp) and node not in asked)
        for node in ast.walk(tree)
    )
