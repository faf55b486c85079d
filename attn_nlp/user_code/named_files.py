"""Find existing files that strings in the user's code name, and that a library may read in C.

When a library reads a file in C, Python does not notice. So if code imports such a library, a file
that one of its strings names counts as read, unless the code shows that it is an output: the
string, or the constant that it is assigned to, is passed to a call that writes, or is used only
below `if __name__ == "__main__":`, and is not passed to any call that looks as if it reads.
"""

from __future__ import annotations

import ast
import os
import re
import sys
from collections.abc import Callable, Collection, Iterable, Iterator

from attn_nlp.user_code.code_text import is_experiment, is_main, is_text, whole
from attn_nlp.user_code.opened import is_data

Owns = Callable[[str], bool]  # returns whether a module of that name is the user's

# Installed libraries that open files through Python, which notices.
_HEARD = {"attn_nlp", "flax", "jax", "jaxlib", "matplotlib", "numpy", "optax"}
_UNHEARD = {"ctypes"}  # of Python itself
_WRITES = re.compile(
    "(dump|export|log|mkdir|makedirs|remove|rename|rmtree|save|to_|touch|unlink|write)"
    "|.*(FileHandler|Writer)$"
)
_COPIES = ("copy", "copy2", "copyfile", "copytree", "move")  # to their second argument
_READS = re.compile("connect|dataset|file|from_|load|memmap|open|parse|read|scan", re.IGNORECASE)
# Functions that turn a path into another one, or into a string.
_OF_PATHS = {
    *("Path", "PurePath", "PosixPath", "str", "fspath", "join", "joinpath", "abspath", "absolute"),
    *("resolve", "realpath", "expanduser", "normpath", "as_posix", "with_name", "with_suffix"),
    *("format", "get"),
}


def named_files(files: Iterable[str], known: Collection[str], owns: Owns) -> Iterator[str]:
    """Yield files that count as read because the code names them.

    Args:
      files: the user's code.
      known: files that are known to be read or written.
      owns: returns whether a module is the user's.
    """
    trees = {file: tree for file in sorted(files) if (tree := whole(file)) is not None}
    if not any(_reads_unheard(tree, owns) for tree in trees.values()):
        return
    code = _Code(trees.values())
    for file, tree in trees.items():
        folder = os.path.dirname(file)
        for node in _texts(tree, owns):
            for named in _existing(os.fsdecode(node.value), folder):  # type: ignore[arg-type]
                if named not in known and is_data(named, folder) and not code.is_output(node):
                    yield named


class _Code:
    """The user's code, searched for how strings are used."""

    def __init__(self, trees: Iterable[ast.Module]) -> None:
        self._parents: dict[ast.AST, ast.AST] = {}
        self._loads: dict[str, list[ast.expr]] = {}
        for tree in trees:
            for node in ast.walk(tree):
                self._parents |= dict.fromkeys(ast.iter_child_nodes(node), node)
                match node:
                    case ast.Name(id=name, ctx=ast.Load()) | ast.Attribute(attr=name):
                        self._loads.setdefault(name, []).append(node)

    def is_output(self, text: ast.expr) -> bool:
        """Return whether the file that a string names is used only as output."""
        uses = {*self._uses(text, "", set())}
        return "read" not in uses and ("written" in uses or uses == {"afterward"})

    def _uses(self, node: ast.AST, key: str, names: set[str]) -> Iterator[str]:
        """Yield what is done with a value: "read", "written", "afterward" or "unclear".

        Args:
          node: the value.
          key: the key of the value in a dictionary, or "".
          names: names that were followed already.
        """
        while True:
            below, node = node, self._parents.get(node, node)
            match node:
                case ast.Call(func=func) if below is func or self._is_argument(below, node):
                    use = "written" if _is_copied_to(below, node) else _use_of(node)
                    if use != "path":
                        yield use
                        return
                case ast.Assign(targets=[*targets]) if below not in targets:
                    for target in targets:
                        yield from self._uses_of_name(target, key, names)
                    return
                case ast.AnnAssign(target=target) if below is not target:
                    yield from self._uses_of_name(target, key, names)
                    return
                case ast.Dict(keys=keys, values=values):
                    for of_value, value in zip(keys, values, strict=True):
                        if value is below and isinstance(of_value, ast.Constant):
                            key = str(of_value.value)
                case ast.expr() | ast.keyword():
                    continue
                case _:
                    yield "unclear"
                    return

    def _uses_of_name(self, target: ast.expr, key: str, names: set[str]) -> Iterator[str]:
        name = getattr(target, "id", getattr(target, "attr", ""))
        if not name or name in names:
            return
        for load in self._loads.get(name, ()):
            if key and self._key_of(load) not in ("", key):
                continue
            if self._is_below_main(load):
                yield "afterward"
            else:
                yield from self._uses(load, "", {*names, name})

    def _key_of(self, load: ast.expr) -> str:
        """Return the key with which a dictionary is read here, or "" if unknown."""
        match self._parents.get(load):
            case ast.Subscript(slice=ast.Constant(value=key)):
                return str(key)
            case ast.Attribute(attr="get") as method:
                match self._parents.get(method):
                    case ast.Call(args=[ast.Constant(value=key), *_]):
                        return str(key)
        return ""

    def _is_argument(self, node: ast.AST, call: ast.Call) -> bool:
        return node in call.args or node in call.keywords

    def _is_below_main(self, node: ast.AST) -> bool:
        above: ast.AST | None = node
        while above is not None:
            if isinstance(above, ast.stmt) and is_main(above):
                return True
            above = self._parents.get(above)
        return False


def _use_of(call: ast.Call) -> str:
    name = getattr(call.func, "id", getattr(call.func, "attr", ""))
    if name in _OF_PATHS:
        return "path"
    if _WRITES.match(name) or (name == "open" and _opens_to_write(call)):
        return "written"
    return "read" if _READS.search(name) else "unclear"


def _is_copied_to(node: ast.AST, call: ast.Call) -> bool:
    name = getattr(call.func, "id", getattr(call.func, "attr", ""))
    return name in _COPIES and node in call.args[1:]


def _opens_to_write(call: ast.Call) -> bool:
    given = [*call.args[:2], *(named.value for named in call.keywords if named.arg == "mode")]
    modes = [value.value for value in given if isinstance(value, ast.Constant)]
    return any(isinstance(mode, str) and set(mode) <= set("wabtx+") for mode in modes if mode)


def _texts(tree: ast.Module, owns: Owns) -> Iterator[ast.Constant]:
    """Yield strings in code that a run enters, except docstrings and those of the experiment."""
    for statement in tree.body:
        if is_main(statement) or is_text(statement) or is_experiment(statement, tree, owns):
            continue
        for node in ast.walk(statement):
            if isinstance(node, ast.Constant) and isinstance(node.value, str | bytes):
                yield node


def _existing(text: str, folder: str) -> Iterator[str]:
    """Yield existing files that a string names, relative to a folder or the working directory."""
    if not 0 < len(text) < 1000 or "\0" in text:
        return
    for name in dict.fromkeys([text, text.lstrip("/")]):
        for base in (folder, os.getcwd()):
            file = os.path.normpath(os.path.join(base, name))
            if os.path.isfile(file) and not file.endswith((".py", ".sqlite")):
                yield file


def _reads_unheard(tree: ast.Module, owns: Owns) -> bool:
    """Return whether code imports a library that may read files without Python noticing."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                tops = {alias.name.partition(".")[0] for alias in names}
            case ast.ImportFrom(module=str() as module, level=0):
                tops = {module.partition(".")[0]}
            case _:
                continue
        if any(not owns(top) for top in tops - _HEARD - sys.stdlib_module_names | tops & _UNHEARD):
            return True
    return False
