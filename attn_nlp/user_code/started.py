"""Restore the environment that a script was started with, if the script is an experiment file.

`python my_idea.py` runs the file twice: first Python does, and then the run that the file starts.
Variables that its top level sets must not be set when it runs the second time, or
`python my_idea.py` and `attn-nlp run my_idea.py` would be two experiments.
"""

from __future__ import annotations

import ast
import contextlib
import os
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from attn_nlp.user_code import asked


def _started() -> dict[str, str]:
    try:
        entries = Path("/proc/self/environ").read_bytes().split(b"\0")
    except OSError:  # not on every system; then use the state when this package is imported
        return asked.kept()
    pairs = (os.fsdecode(entry).partition("=") for entry in entries if entry)
    return {name: value for name, _, value in pairs}


_START = _started()


def put_back(files: Iterable[str]) -> None:
    """Restore variables that only the top level of a script names to what the script found.

    A variable that a function or `if __name__ == "__main__":` also names, other than to read it, is
    meant for this run and is left as it is.

    Args:
      files: the script, and modules of the user's that it has imported.
    """
    top, inner = set[str](), set[str]()
    for file in files:
        with contextlib.suppress(OSError, SyntaxError, ValueError):  # reported when it is run
            for node in ast.parse(Path(file).read_bytes()).body:
                if _is_inner(node):
                    inner.update(_texts(node, _read(node)))
                else:
                    top.update(_texts(node))
    now = asked.kept()
    for name in (_START.keys() | now.keys()) & (top - inner):
        value = _START.get(name)
        if value is None:
            del os.environ[name]
        elif now.get(name) != value:
            os.environ[name] = value


def _is_inner(node: ast.stmt) -> bool:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return True
    test = node.test if isinstance(node, ast.If) else None
    return test is not None and any(
        isinstance(inner, ast.Name) and inner.id == "__name__" for inner in ast.walk(test)
    )


def _read(node: ast.AST) -> set[ast.AST]:
    """Return the expressions in code with which something is looked up."""
    keys: set[ast.AST] = set()
    for inner in ast.walk(node):
        match inner:
            case ast.Subscript(slice=name, ctx=ast.Load()) | ast.Compare(left=name):
                keys.add(name)
            case ast.Call(func=ast.Name(id="getenv"), args=[name, *_]):
                keys.add(name)
            case ast.Call(func=ast.Attribute(attr="get" | "getenv"), args=[name, *_]):
                keys.add(name)
    return keys


def _texts(node: ast.AST, but: Collection[ast.AST] = ()) -> Iterator[str]:
    """Yield possible names of variables: strings, and keywords as in `update(NAME=1)`."""
    for inner in ast.walk(node):
        match inner:
            case ast.Constant() if inner in but:
                pass
            case ast.Constant(value=str() as text):
                yield text
            case ast.Constant(value=bytes() as text):
                yield os.fsdecode(text)
            case ast.keyword(arg=str() as name):
                yield name
