"""The order in which arrays are added up for the norm of the gradient.

A sum of floating-point numbers depends on the order of its terms, and JAX orders a tree by the
names of its modules. Here the order is fixed independently of how modules are nested, so that a
reorganized model keeps its results to the last bit: by path, with the containers of the model
(`body`, `encoder`) left out and a `bias` after the other arrays of its module.
"""

from __future__ import annotations

from typing import Any

import jax

_CONTAINERS = ("body", "encoder")


def ordered(tree: Any) -> list[jax.Array]:
    """Return the arrays of a tree in that order."""
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return [leaf for _, leaf in sorted(leaves, key=lambda entry: _rank(entry[0]))]


def rebuilt(leaves: Any, like: Any) -> Any:
    """Return a tree like another one of arrays in that order."""
    paths, structure = jax.tree_util.tree_flatten_with_path(like)
    order = sorted(range(len(paths)), key=lambda index: _rank(paths[index][0]))
    in_tree = dict(zip(order, leaves, strict=True))
    return jax.tree.unflatten(structure, [in_tree[index] for index in range(len(paths))])


def _rank(path: tuple[Any, ...]) -> list[tuple[bool, Any]]:
    names = [_name(entry) for entry in path]
    while names and names[0] in _CONTAINERS:
        names.pop(0)
    return [(name == "bias", name) for name in names]


def _name(entry: Any) -> Any:
    """Return the key, index or attribute of one step of a path."""
    for attribute in ("key", "idx", "name"):
        if hasattr(entry, attribute):
            return getattr(entry, attribute)
    return str(entry)
