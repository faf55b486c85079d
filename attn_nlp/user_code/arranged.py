"""Find statements of a file that only arrange its experiment, so that no part depends on them.

    ROWS = [Row("Mine", {"attention.score": "mine"}, cite="ours")]
    NOTE = 3

Such a statement assigns a name to a value that is built of constants, of names from
`attn_nlp.experiment`, and of functions that only return such a value, so evaluating it changes
nothing else; and no statement that counts uses the name, in this file or another of the user's
modules. If any of the user's code may reach a name in another way, such as by `globals()`, all
statements count.
"""

from __future__ import annotations

import ast
import builtins
import functools
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator

_MAKING = {
    *("Attention", "Axis", "Cell", "Experiment", "Row", "Skip", "Span", "Table", "Tuning"),
    *("log_uniform", "skip", "together", "uniform", "vary"),
}
_PURE = {"dict", "float", "frozenset", "int", "len", "list", "range", "set", "str", "tuple"}
_PURE &= vars(builtins).keys()
_FROM = ("attn_nlp", "attn_nlp.experiment")
# With these, code may reach a name that it does not spell out, or its own source.
_REACHING = {
    *("globals", "locals", "vars", "dir", "eval", "exec", "builtins", "__builtins__", "__import__"),
    *("modules", "import_module", "importlib", "inspect", "runpy", "pkgutil", "linecache"),
    *("f_globals", "f_locals", "f_back", "tb_frame", "currentframe", "_getframe", "gc", "ctypes"),
    *("pickle", "dill", "cloudpickle", "marshal", "__dict__", "__globals__", "__closure__"),
    *("__main__", "__loader__", "__spec__", "__getattr__", "__getattribute__"),
    *("attrgetter", "methodcaller", "resolve_name"),
}
# Modules by the names under which everybody imports them, which have no name of the user's.
_INSTALLED = {"jax", "jax.nn", "jax.numpy", "jnp", "math", "nn", "np", "numpy", "nnx", "optax"}
_WORD = re.compile(r"\w+")
_MANGLED = re.compile(r"_[^_]\w*?__\w+")  # what `__name` in a class may stand for


def arranging(
    tree: ast.Module, others: Collection[ast.Module], leaves: Callable[[ast.stmt], bool]
) -> set[ast.stmt]:
    """Return the statements of a file that only arrange its experiment.

    Args:
      tree: the file, without code that a run never enters.
      others: the other modules of the user's that a part reaches.
      leaves: returns whether a statement is the experiment itself, which does not count.
    """
    trees = [tree, *others]
    if any(not words.isdisjoint(_REACHING) or "*" in words for words in map(_exact, trees)):
        return set()
    values = _values(tree)
    idle = {name for name, value in values.items() if value and not _MANGLED.fullmatch(name)}
    statements = [node for node in tree.body if not leaves(node)]
    outer: set[str] = set().union(*map(_words, others))
    while True:
        counting = [node for node in statements if _named(node) not in idle]
        used = outer.union(*map(_words, counting))
        if idle.isdisjoint(used):
            return {node for node in statements if _named(node) in idle}
        idle -= used


def pure_values(tree: ast.Module) -> set[str]:
    """Return the names that a file assigns once, to a value that its text determines."""
    return {name for name, value in _values(tree).items() if value is not None}


def bound_outside_functions(node: ast.stmt) -> set[str]:
    """Return the names that a statement binds in the namespace of its module."""
    bound: set[str] = set()
    waiting: list[ast.AST] = [node]
    inner = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
    while waiting:
        current = waiting.pop()
        bound.update(_bound(current))
        if not isinstance(current, inner):
            waiting += ast.iter_child_nodes(current)
    return bound


def _values(tree: ast.Module) -> dict[str, ast.expr | None]:
    """Return the expression assigned to each name, or None if it may change something."""
    bound = Counter(name for node in ast.walk(tree) for name in _bound(node))
    once = {name for name, times in bound.items() if times == 1}
    made = {
        alias.asname or alias.name
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and node.module in _FROM and not node.level
        for alias in node.names
        if alias.name in _MAKING
    }
    calls = (made & once) | (_PURE - {*bound})
    values: dict[str, ast.expr | None] = {}
    for node in tree.body:
        pure = {name for name, value in values.items() if value}
        if isinstance(node, ast.FunctionDef) and node.name in once:
            calls |= {node.name} if _is_formula(node, calls, pure) else set()
        name = _named(node)
        if name in once and not name.startswith("__"):
            value = node.value  # pyright: ignore[reportAttributeAccessIssue]
            values[name] = value if _is_pure(value, calls, pure) else None
    return values


def _named(node: ast.stmt) -> str:
    """Return the one name that a statement assigns, or "" for any other statement."""
    match node:
        case ast.Assign(targets=[ast.Name(id=name)]):
            return name
    return ""


def _is_formula(node: ast.FunctionDef, calls: Collection[str], known: Collection[str]) -> bool:
    """Return whether a function only returns an expression that changes nothing."""
    given, body = node.args, node.body
    if isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
        body = body[1:]
    if node.decorator_list or len(body) != 1:
        return False
    inner = {node.arg for node in ast.walk(given) if isinstance(node, ast.arg)}
    defaults = [*given.defaults, *filter(None, given.kw_defaults)]
    match body[0]:
        case ast.Return(value=ast.expr() as value) if inner.isdisjoint(calls):
            pure = all(_is_pure(default, calls, known) for default in defaults)
            return pure and _is_pure(value, calls, {*known, *inner})
    return False


def _is_pure(node: ast.AST, calls: Collection[str], known: Collection[str]) -> bool:
    """Return whether an expression is made of constants and of calls that change nothing."""

    def pure(*nodes: ast.AST | None) -> bool:
        return all(node is None or _is_pure(node, calls, known) for node in nodes)

    match node:
        case ast.Constant():
            return True
        case ast.Name(id=name):
            return name in known
        case ast.Call(func=ast.Name(id=name), args=args, keywords=keywords):
            return name in calls and pure(*args, *(keyword.value for keyword in keywords))
        case ast.List() | ast.Tuple() | ast.Set():
            return pure(*node.elts)
        case ast.Dict(keys=keys, values=values):
            return pure(*keys, *values)
        case ast.JoinedStr(values=values) | ast.BoolOp(values=values):
            return pure(*values)
        case ast.Starred(value=value) | ast.UnaryOp(operand=value):
            return pure(value)
        case ast.FormattedValue(value=value, format_spec=spec):
            return pure(value, spec)
        case ast.BinOp(left=left, right=right) | ast.Subscript(value=left, slice=right):
            return pure(left, right)
        case ast.Compare(left=left, comparators=others):
            return pure(left, *others)
        case ast.IfExp(test=test, body=body, orelse=orelse):
            return pure(test, body, orelse)
        case ast.ListComp(elt=made, generators=loops) | ast.SetComp(elt=made, generators=loops):
            return _is_pure_loop([made], loops, calls, known)
        case ast.DictComp(key=key, value=value, generators=loops):
            return _is_pure_loop([key, value], loops, calls, known)
    return False


def _is_pure_loop(
    made: list[ast.expr],
    loops: list[ast.comprehension],
    calls: Collection[str],
    known: Collection[str],
) -> bool:
    inner = {*known}
    for loop in loops:
        if not _is_pure(loop.iter, calls, inner):
            return False
        inner |= {node.id for node in ast.walk(loop.target) if isinstance(node, ast.Name)}
        made = [*made, *loop.ifs]
    return all(_is_pure(node, calls, inner) for node in made)


def _bound(node: ast.AST) -> Iterator[str]:
    """Yield the names that a node binds, in any scope."""
    match node:
        case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
            yield name
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            yield name
        case ast.alias(name=name, asname=other):
            yield other or name.partition(".")[0]
        case ast.arg(arg=name):
            yield name
        case ast.Global(names=names) | ast.Nonlocal(names=names):
            yield from names
        case ast.ExceptHandler(name=str() as name) | ast.MatchAs(name=str() as name):
            yield name
        case ast.MatchStar(name=str() as name) | ast.MatchMapping(rest=str() as name):
            yield name


@functools.lru_cache(maxsize=256)
def _exact(tree: ast.Module) -> frozenset[str]:
    """Return the names in a file, including strings that consist of one name, and "*".

    The latter stands for all names, as in `getattr(helper, f"GAIN_{size}")`.
    """
    nodes = [*ast.walk(tree)]
    names = {text for node in nodes for text in _spelled(node)}
    asked = sum(isinstance(node, ast.Name) and node.id == "getattr" for node in nodes)
    if asked > sum(map(_asks_for_one_name, nodes)):
        names.add("*")
    return frozenset(names)


def _asks_for_one_name(node: ast.AST) -> bool:
    """Return whether a call of `getattr` spells the name, or asks something that is installed."""
    match node:
        case ast.Call(func=ast.Name(id="getattr"), args=[_, ast.Constant(), *_]):
            return True
        case ast.Call(func=ast.Name(id="getattr"), args=[of, *_]):
            return ast.unparse(of) in _INSTALLED
    return False


def _words(node: ast.AST) -> set[str]:
    """Return the names in code, including those in its strings, but not in docstrings."""
    nodes = [*ast.walk(node)]
    alone = {inner.value for inner in nodes if isinstance(inner, ast.Expr)}
    texts = {inner for inner in alone if isinstance(inner, ast.Constant)}
    spelled = (text for inner in nodes if inner not in texts for text in _spelled(inner))
    return {word for text in spelled for word in _WORD.findall(text)}


def _spelled(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Name(id=text) | ast.Attribute(attr=text) | ast.Constant(value=str() as text):
            yield text
        case ast.Constant(value=bytes() as text):
            yield text.decode("latin-1")
        case ast.alias(name=name):
            yield name
            yield from name.split(".")
            yield from _bound(node)
        case ast.MatchClass(kwd_attrs=names):
            yield from names
        case _:
            yield from _bound(node)
