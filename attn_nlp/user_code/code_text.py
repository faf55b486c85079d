"""Decide which source text of the user's counts for the identity of a part.

Comments, docstrings, `if __name__ == "__main__":` and the experiment itself do not count: they
change as results come in. Docstrings count if the code reads them, and the experiment counts if the
user's code runs to make it or reads it.
"""

from __future__ import annotations

import ast
import copy
import functools
import inspect
import math
import os
import textwrap
from collections.abc import Callable, Collection, Iterator

from attn_nlp.errors import UserError
from attn_nlp.user_code.arranged import arranging
from attn_nlp.user_code.modules import content

Owns = Callable[[str], bool]  # returns whether a module of that name is the user's

_SPEAKING = {"getdoc", "getsource", "getsourcelines", "getsourcefile", "getcomments", "findsource"}
_CHANGING = {
    "add",
    "append",
    "clear",
    "discard",
    "extend",
    "insert",
    "pop",
    "popitem",
    "remove",
    "reverse",
    "setdefault",
    "sort",
    "update",
}
_READING_ALONE = {"copy", "format", "get", "items", "join", "keys", "replace", "split", "values"}
# Functions that an experiment may call and still not count.
_HARMLESS = {
    *("abs", "all", "any", "bool", "dict", "enumerate", "float", "frozenset", "int", "len", "list"),
    *("max", "min", "range", "repr", "reversed", "round", "set", "sorted", "str", "sum", "tuple"),
    "zip",
}
_HARMLESS_OF: dict[str, Collection[str]] = {
    "itertools": ("chain", "combinations", "permutations", "product", "repeat"),
    "math": dir(math),
    "numpy": ("arange", "geomspace", "linspace", "logspace"),
    "pathlib": ("Path", "PurePath"),
}


def parsed(file: str) -> ast.Module | None:
    """Return the code of a file that a run enters, or None if it is not valid Python.

    Bytes are parsed, so that Python itself handles byte order marks and encoding declarations.
    """
    if not file.endswith((".py", ".pyw")) or not os.path.isfile(file):
        return None
    return _parsed(content(file))


def whole(file: str) -> ast.Module | None:
    """Return all code of a file, even what no run enters, or None if it is not valid Python."""
    tree = parsed(file)
    return None if tree is None else ast.parse(content(file))


def counting(
    tree: ast.Module,
    owns: Owns,
    *,
    texts: bool = False,
    others: Collection[ast.Module] | None = None,
) -> str:
    """Return the code of a file that counts, as text.

    Args:
      tree: from `parsed`.
      owns: returns whether a module is the user's.
      texts: whether docstrings count even if this code does not read them.
      others: all other code of the user's that may reach this code, or None if unknown.
    """
    texts = texts or reads_texts(tree)
    left = left_out(tree, owns, texts=texts, others=others)
    pairs = zip(tree.body, _told(tree, texts), strict=True)
    return "\n".join(text for node, text in pairs if text and node not in left)


def left_out(
    tree: ast.Module,
    owns: Owns,
    *,
    texts: bool = False,
    others: Collection[ast.Module] | None = None,
) -> set[ast.stmt]:
    """Return the statements of a file that do not count; see `counting`."""
    left = {node for node in tree.body if is_experiment(node, tree, owns)}
    if left and any(_reads_experiment(node) for node in tree.body if node not in left):
        left.clear()
    if others is not None and not texts and not reads_texts(tree) and _names_experiment(tree):
        left |= arranging(tree, others, left.__contains__)
    return left


def typed(definition: object) -> str:
    """Return the source that counts of a definition outside of files, such as in a notebook."""
    try:
        return told_text(inspect.getsource(definition))  # type: ignore[arg-type]
    except (OSError, TypeError, SyntaxError) as error:
        raise UserError(
            "the source of a part cannot be read, although its results depend on it; define the "
            "part in a file."
        ) from error


def told_text(source: str) -> str:
    """Return the text that counts of a source that is not in a file."""
    return counting(_parsed_text(textwrap.dedent(source)), lambda _: False)


def reads_texts(tree: ast.Module, *, of_others: bool = False) -> bool:
    """Return whether code reads docstrings or sources: its own, or those of other modules."""
    for node in ast.walk(tree):
        match node:
            case ast.Name(id="__doc__"):
                reads = not of_others
            case ast.Attribute(attr="__doc__"):
                reads = True
            case ast.Constant(value=str() as name):  # as in getattr(mine, "__doc__")
                reads = name == "__doc__" or name in _SPEAKING
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.alias(name=name):
                reads = name in _SPEAKING
            case _:
                continue
        if reads:
            return True
    return False


def names_own_file(node: ast.stmt) -> bool:
    """Return whether a function or class reads `__file__`, so that the file's name decides."""
    return any(
        isinstance(name, ast.Name) and name.id == "__file__"
        for inner in ast.walk(node)
        if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for name in ast.walk(inner)
    )


def brought(tree: ast.Module, owns: Owns) -> set[str]:
    """Return the names that imports bind to modules of the user's and to what is in them."""
    bound: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                for alias in names:
                    top = alias.name.partition(".")[0]
                    if owns(top):
                        bound.add(alias.asname or top)
            case ast.ImportFrom(module=module, names=names, level=level):
                if level or owns((module or "").partition(".")[0]):
                    bound |= {alias.asname or alias.name for alias in names}
    return bound


def writes(tree: ast.Module, owns: Owns) -> bool:
    """Return whether code may change what it has imported, as `helper.gain = 2` does.

    It then decides what other modules compute, even though they do not import it. A statement
    outside of functions that calls something from another module of the user's may change it too.
    """
    bound: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            bound |= {alias.asname or alias.name.partition(".")[0] for alias in node.names}
    own = brought(tree, owns)
    for node in ast.walk(tree):
        match node:
            case (
                ast.Attribute(ctx=ast.Store() | ast.Del())
                | ast.Subscript(ctx=ast.Store() | ast.Del())
            ):
                changed, names = node, bound
            case ast.Call(func=ast.Name(id="setattr" | "delattr"), args=[first, *_]):
                changed, names = first, bound
            case ast.Call(func=ast.Attribute(attr=name, value=value)) if name in _CHANGING:
                changed, names = value, own
            case _:
                continue
        if not names.isdisjoint(_roots(changed)):
            return True
    return any(
        not own.isdisjoint(_names(node))
        for node in _outside_functions(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
    )


@functools.lru_cache(maxsize=256)
def _parsed(source: bytes) -> ast.Module | None:
    try:
        return _parsed_text(source)
    except (SyntaxError, ValueError):
        return None


def _parsed_text(source: str | bytes) -> ast.Module:
    tree = ast.parse(source)
    tree.body = [node for node in tree.body if not is_main(node)]
    return tree


def is_main(node: ast.stmt) -> bool:
    """Return whether a statement is `if __name__ == "__main__":`, which no run enters."""
    match node:
        case ast.If(
            test=ast.Compare(
                left=ast.Name(id="__name__"),
                ops=[ast.Eq()],
                comparators=[ast.Constant(value="__main__")],
            ),
            orelse=[],
        ):
            return True
    return False


def is_text(node: ast.stmt) -> bool:
    """Return whether a statement is only a constant, such as a docstring."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


@functools.lru_cache(maxsize=256)
def _told(tree: ast.Module, texts: bool) -> tuple[str, ...]:
    """Return each statement as text, with or without docstrings; the tree is not changed."""
    return tuple(
        ast.unparse(node if texts else _without_texts(copy.deepcopy(node)))
        if texts or not is_text(node)
        else ""
        for node in tree.body
    )


def _without_texts(node: ast.stmt) -> ast.stmt:
    for inner in ast.walk(node):
        defines = isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        if defines and is_text(inner.body[0]):
            del inner.body[0]
    return node


def is_experiment(node: ast.stmt, tree: ast.Module, owns: Owns) -> bool:
    """Return whether a statement assigns an `Experiment` to `experiment` and does nothing else."""
    match node:
        case (
            ast.Assign(targets=[ast.Name(id="experiment")], value=ast.Call() as value)
            | ast.AnnAssign(target=ast.Name(id="experiment"), value=ast.Call() as value)
        ):
            made = _roots(value.func)
            name = value.func.attr if isinstance(value.func, ast.Attribute) else [*made, ""][0]
            return _original(name, tree) == "Experiment" and not _runs_own(value, tree, owns)
    return False


def _names_experiment(tree: ast.Module) -> bool:
    assigned = (node for node in tree.body if isinstance(node, ast.Assign))
    targets = [target for node in assigned for target in node.targets]
    return any(isinstance(target, ast.Name) and target.id == "experiment" for target in targets)


def _reads_experiment(node: ast.AST) -> bool:
    """Return whether code, even in a function, reads the experiment by its name."""
    own = [node] if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) else []
    for inner in (inner for function in own for inner in ast.walk(function)):
        match inner:
            case ast.arg(arg="experiment") | ast.Name(id="experiment", ctx=ast.Store()):
                return False  # a local name of the function
    match node:
        case ast.Name(id="experiment", ctx=ast.Load()):
            return True
    return any(_reads_experiment(child) for child in ast.iter_child_nodes(node))


def _original(name: str, tree: ast.Module) -> str:
    """Return the name that something imported has in the module that defines it."""
    for node in tree.body:
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                if alias.asname == name:
                    return alias.name
    return name


def _runs_own(value: ast.expr, tree: ast.Module, owns: Owns) -> bool:
    """Return whether an expression binds a name, or calls code that may affect a part.

    That is all code of the user's, and all that is not known to be harmless: `random.sample`
    changes all later draws, and `next` and `map` change or call what they are given.
    """
    defined, assigned = set[str](), set[str]()
    for node in _outside_functions(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                defined.add(name)
            case ast.ClassDef(name=name):
                defined.add(name)
            case ast.Assign() | ast.AnnAssign() | ast.AugAssign() | ast.For() | ast.With():
                assigned |= {
                    inner.id
                    for inner in ast.walk(node)
                    if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store)
                }
    own, imported = brought(tree, owns), _imported(tree)
    taken = defined | assigned | own | imported.keys()

    def is_harmless(call: ast.Call) -> bool:
        match call.func:
            case ast.Name(id=name) if name not in taken:
                return name in _HARMLESS and all(given.arg != "key" for given in call.keywords)
            case ast.Name(id=name) if name not in defined | assigned | own:
                module, _, what = imported[name].rpartition(".")
            case ast.Attribute(attr=what, value=inner):
                if what in _READING_ALONE and own.isdisjoint(_roots(inner)):
                    return True
                dotted = ast.unparse(inner)
                root, _, rest = dotted.partition(".")
                if root in defined | assigned | own or root not in imported:
                    return False
                module = f"{imported[root]}.{rest}" if rest else imported[root]
            case _:
                return False
        if module.partition(".")[0] == "attn_nlp":
            return True
        return what in _HARMLESS_OF.get(module, ())

    for node in ast.walk(value):
        match node:
            case ast.NamedExpr():
                return True
            case ast.Name(id=name) if name in defined:
                return True
            case ast.Call() if not is_harmless(node):
                return True
    return False


def _imported(tree: ast.Module) -> dict[str, str]:
    """Return the names that imports bind, each with the full name of what it refers to."""
    names_of: dict[str, str] = {}
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                for alias in names:
                    top = alias.name.partition(".")[0]
                    names_of[alias.asname or top] = alias.name if alias.asname else top
            case ast.ImportFrom(module=str() as module, names=names, level=0):
                for alias in names:
                    names_of[alias.asname or alias.name] = f"{module}.{alias.name}"
    return names_of


def _outside_functions(tree: ast.Module) -> Iterator[ast.stmt]:
    """Yield all statements that run when the module is imported."""
    waiting: list[ast.AST] = [*tree.body]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.stmt):
            yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.expr):
            waiting += ast.iter_child_nodes(node)


def _roots(node: ast.expr) -> Collection[str]:
    """Return the name that an expression begins with, or for a call, all names in it."""
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    if isinstance(node, ast.Name):
        return {node.id}
    return _names(node) if isinstance(node, ast.Call) else set()


def _names(node: ast.AST) -> set[str]:
    return {inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)}
