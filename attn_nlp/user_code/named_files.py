"""Find existing files that strings in the user's code name, and that a library may read natively.

If code imports a library that Python does not notice reading, a file that one of its strings names
counts as read, and so do those that `native.py` finds, unless the code shows that it is an output:
the string, or the constant that it is assigned to, is passed to a call that writes, or is used only
below `if __name__ == "__main__":`, and is not passed to any call that looks as if it reads. Of a
file whose name is computed, the code may spell the ending alone.
"""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Collection, Iterable, Iterator
from fnmatch import fnmatchcase

from attn_nlp.user_code.code_text import is_experiment, is_main, is_text, whole
from attn_nlp.user_code.modules import is_own
from attn_nlp.user_code.native import Owns, beside, endings, unheard
from attn_nlp.user_code.opened import is_data

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


def named_files(
    files: Iterable[str], known: Collection[str], declared: Collection[str], owns: Owns
) -> Iterator[str]:
    """Yield files that count as read because the code names them, or may read them natively.

    Args:
      files: the user's code.
      known: files that are known to be read or written.
      declared: files that the part declares.
      owns: returns whether a module is the user's.

    Raises:
      UserError: there are too many files that may be read natively.
    """
    trees = {file: tree for file in sorted(files) if (tree := whole(file)) is not None}
    libraries = {name for tree in trees.values() for name in unheard(tree, owns)}
    if not libraries:
        return
    code, found = _Code(trees.values()), {*known}
    texts = [
        (os.fsdecode(node.value), os.path.dirname(file), node)  # type: ignore[arg-type]
        for file, tree in trees.items()
        for node in _texts(tree, owns)
    ]
    for text, folder, node in texts:
        for named in _existing(text, folder):
            if named not in found and is_data(named, folder) and not code.is_output(node):
                found.add(named)
                yield named
    ends = endings(libraries)
    if any(file.lower().endswith(ends) for file in declared):
        return
    spelled = {
        (code.pattern(node), not code.is_output(node))
        for text, _, node in texts
        if text.lower().endswith(ends)
    }

    def leaves(file: str) -> bool:
        fitting = (
            (len(pattern.replace("*", "")), reads)
            for pattern, reads in spelled
            if fnmatchcase(os.path.basename(file), os.path.basename(pattern))
        )
        return file in found or not max([(0, True), *fitting])[1]

    folders = [os.path.dirname(file) for file in trees]
    folders += [named for text, folder, _ in texts for named in _folders(text, folder)]
    own = [folder for folder in dict.fromkeys(folders) if is_own(os.path.join(folder, ""))]
    yield from beside(own, ends, leaves)


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

    def pattern(self, node: ast.AST) -> str:
        """Return the name of which a string is the end, with "*" for what is computed."""
        above = self._parents.get(node)
        while isinstance(above, ast.JoinedStr | ast.BinOp):
            node, above = above, self._parents.get(above)
        name = _pattern(node)
        return f"*{name}" if name.startswith(".") else name  # an ending, as for `with_suffix`

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


def _pattern(node: ast.AST) -> str:
    match node:
        case ast.Constant(value=str() | bytes() as text):
            return re.sub(r"[*?\[]+|\{[^}]*\}|%\w", "*", os.fsdecode(text))
        case ast.JoinedStr(values=parts):
            return "".join(map(_pattern, parts))
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _pattern(left) + _pattern(right)
        case ast.BinOp(op=ast.Div(), right=name) | ast.BinOp(op=ast.Mod(), left=name):
            return _pattern(name)
    return "*"


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


def _folders(text: str, folder: str) -> Iterator[str]:
    """Yield folders that a string names, except those that contain the folder of the code."""
    if not 0 < len(text) < 1000 or "\0" in text or not text.strip("./"):
        return
    for base in (folder, os.path.dirname(folder), os.getcwd()):
        named = os.path.normpath(os.path.join(base, text))
        if (
            os.path.isdir(named)
            and not f"{folder}{os.sep}".startswith(os.path.join(named, ""))
            and is_data(os.path.join(named, "x"), folder)
        ):
            yield named
