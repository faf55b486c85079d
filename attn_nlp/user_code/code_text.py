"""What of a source of the user's counts, and what its code alone tells.

Comments, docstrings, `if __name__ == "__main__":` and the experiment itself do not count: they
change as results come in. Docstrings count where the code reads them, and the experiment where
code of the user's own is run to make it, or reads it.
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

Owns = Callable[[str], bool]  # whether a module of that name is the user's

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
# What an experiment may call without being more than an experiment.
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
    """The code of a file that a run enters; None where it is no text of Python.

    Bytes are parsed, so that Python itself looks at marks and declarations of an encoding.
    """
    if not file.endswith((".py", ".pyw")) or not os.path.isfile(file):
        return None
    return _parsed(content(file))


def whole(file: str) -> ast.Module | None:
    """All code of a file, also what no run enters; None where it is no text of Python."""
    tree = parsed(file)
    return None if tree is None else ast.parse(content(file))


def counting(
    tree: ast.Module,
    owns: Owns,
    *,
    texts: bool = False,
    others: Collection[ast.Module] | None = None,
) -> str:
    """What counts of a file's code, as text.

    Args:
      tree: as `parsed`.
      owns: tells which modules are the user's.
      texts: whether docstrings count although this code does not read them.
      others: all other code of the user's that may reach this one, None where nobody knows.
    """
    texts = texts or reads_texts(tree)
    left = {node for node in tree.body if is_experiment(node, tree, owns)}
    if left and any(_reads_experiment(node) for node in tree.body if node not in left):
        left.clear()
    if others is not None and not texts and _names_experiment(tree):
        left |= arranging(tree, others, left.__contains__)
    pairs = zip(tree.body, _told(tree, texts), strict=True)
    return "\n".join(text for node, text in pairs if text and node not in left)


def typed(definition: object) -> str:
    """Return the source of what is in no file, such as a cell of a notebook."""
    try:
        return told_text(inspect.getsource(definition))  # type: ignore[arg-type]
    except (OSError, TypeError, SyntaxError) as error:
        raise UserError(
            "the source of a part cannot be read, which decides what its results are; define it "
            "in a file."
        ) from error


def told_text(source: str) -> str:
    """What of a source that stands in no file counts."""
    return counting(_parsed_text(textwrap.dedent(source)), lambda _: False)


def reads_texts(tree: ast.Module, *, of_others: bool = False) -> bool:
    """Whether code reads docstrings or sources: its own, or also those of other modules."""
    for node in ast.walk(tree):
        match node:
            case ast.Name(id="__doc__"):
                found = not of_others
            case ast.Attribute(attr="__doc__"):
                found = True
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.alias(name=name):
                found = name in _SPEAKING
            case _:
                continue
        if found:
            return True
    return False


def brought(tree: ast.Module, owns: Owns) -> set[str]:
    """The names that a file's imports bind to modules of the user's, and to what is in them."""
    found: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                for each in names:
                    top = each.name.partition(".")[0]
                    if owns(top):
                        found.add(each.asname or top)
            case ast.ImportFrom(module=module, names=names, level=level):
                if level or owns((module or "").partition(".")[0]):
                    found |= {each.asname or each.name for each in names}
    return found


def writes(tree: ast.Module, owns: Owns) -> bool:
    """Whether code changes what it has imported, such as by `helper.gain = 2`.

    It then decides what other modules compute, without being imported by them. A statement outside
    of functions that calls something of another module of the user's may change it as well.
    """
    bound: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            bound |= {each.asname or each.name.partition(".")[0] for each in node.names}
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
    """Whether a statement is the `if __name__ == "__main__":` of a script, which no run enters."""
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
    """Whether a statement is a text and nothing else, such as a docstring."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


@functools.lru_cache(maxsize=256)
def _told(tree: ast.Module, texts: bool) -> tuple[str, ...]:
    """Each statement as text, without docstrings or with them; the tree stays as it is."""
    return tuple(
        ast.unparse(node if texts else _without_texts(copy.deepcopy(node)))
        if texts or not is_text(node)
        else ""
        for node in tree.body
    )


def _without_texts(node: ast.stmt) -> ast.stmt:
    for each in ast.walk(node):
        defines = isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        if defines and is_text(each.body[0]):
            del each.body[0]
    return node


def is_experiment(node: ast.stmt, tree: ast.Module, owns: Owns) -> bool:
    """Whether a statement names an experiment so, and does nothing else."""
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
    targets = [each for node in tree.body if isinstance(node, ast.Assign) for each in node.targets]
    return any(isinstance(each, ast.Name) and each.id == "experiment" for each in targets)


def _reads_experiment(node: ast.AST) -> bool:
    """Whether code, also in a function, reads the experiment by its name."""
    own = [node] if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) else []
    for each in (each for function in own for each in ast.walk(function)):
        match each:
            case ast.arg(arg="experiment") | ast.Name(id="experiment", ctx=ast.Store()):
                return False  # another one, of the function
    match node:
        case ast.Name(id="experiment", ctx=ast.Load()):
            return True
    return any(_reads_experiment(each) for each in ast.iter_child_nodes(node))


def _original(name: str, tree: ast.Module) -> str:
    """The name that something imported has where it is defined."""
    for node in tree.body:
        if isinstance(node, ast.ImportFrom):
            for each in node.names:
                if each.asname == name:
                    return each.name
    return name


def _runs_own(value: ast.expr, tree: ast.Module, owns: Owns) -> bool:
    """Whether an expression binds a name, or calls what may change anything that a part sees.

    That is all code of the user's, and what is not known to be harmless: `random.sample` moves all
    later draws, and `next` and `map` do something to what they are given.
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
                    each.id
                    for each in ast.walk(node)
                    if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)
                }
    own, imported = brought(tree, owns), _imported(tree)
    taken = defined | assigned | own | imported.keys()

    def is_harmless(call: ast.Call) -> bool:
        match call.func:
            case ast.Name(id=name) if name not in taken:
                return name in _HARMLESS and all(each.arg != "key" for each in call.keywords)
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
    """The names that imports bind, each with the whole name of what it stands for."""
    found: dict[str, str] = {}
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                for each in names:
                    top = each.name.partition(".")[0]
                    found[each.asname or top] = each.name if each.asname else top
            case ast.ImportFrom(module=str() as module, names=names, level=0):
                found |= {each.asname or each.name: f"{module}.{each.name}" for each in names}
    return found


def _outside_functions(tree: ast.Module) -> Iterator[ast.stmt]:
    """All statements that are run when the module is."""
    waiting: list[ast.AST] = [*tree.body]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.stmt):
            yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.expr):
            waiting += ast.iter_child_nodes(node)


def _roots(node: ast.expr) -> Collection[str]:
    """The name that an expression begins with; of a call, all names in it."""
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    if isinstance(node, ast.Name):
        return {node.id}
    return _names(node) if isinstance(node, ast.Call) else set()


def _names(node: ast.AST) -> set[str]:
    return {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}
