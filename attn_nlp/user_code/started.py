"""The environment that a script was started with, where the script is an experiment file.

`python my_idea.py` runs the file twice: Python does, and then the run that the file asks for. What
its top level sets must not be there already at the second time, or `python my_idea.py` and
`attn-nlp run my_idea.py` are two experiments.
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
        told = Path("/proc/self/environ").read_bytes().split(b"\0")
    except OSError:  # not on every system; then as it is when this package is imported
        return asked.kept()
    pairs = (os.fsdecode(each).partition("=") for each in told if each)
    return {name: value for name, _, value in pairs}


_START = _started()


def put_back(files: Iterable[str]) -> None:
    """Put back variables that only the top level of a script names, as the script found them.

    One that a function or `if __name__ == "__main__":` names too, other than to read it, is meant
    for this run, and stays.

    Args:
      files: the script, and modules of the user's that it has imported.
    """
    top, inner = set[str](), set[str]()
    for file in files:
        with contextlib.suppress(OSError, SyntaxError, ValueError):  # whoever runs it says so
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
        isinstance(each, ast.Name) and each.id == "__name__" for each in ast.walk(test)
    )


def _read(node: ast.AST) -> set[ast.AST]:
    """The texts in code under which something is looked up."""
    found: set[ast.AST] = set()
    for each in ast.walk(node):
        match each:
            case ast.Subscript(slice=name, ctx=ast.Load()) | ast.Compare(left=name):
                found.add(name)
            case ast.Call(func=ast.Name(id="getenv"), args=[name, *_]):
                found.add(name)
            case ast.Call(func=ast.Attribute(attr="get" | "getenv"), args=[name, *_]):
                found.add(name)
    return found


def _texts(node: ast.AST, but: Collection[ast.AST] = ()) -> Iterator[str]:
    """What may be the name of a variable: texts, and names of arguments as in `update(NAME=1)`."""
    for each in ast.walk(node):
        match each:
            case ast.Constant() if each in but:
                pass
            case ast.Constant(value=str() as text):
                yield text
            case ast.Constant(value=bytes() as text):
                yield os.fsdecode(text)
            case ast.keyword(arg=str() as name):
                yield name
