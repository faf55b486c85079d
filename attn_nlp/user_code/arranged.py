"""Which statements of a file only arrange its experiment, so that no part knows of them.

    ROWS = [Row("Mine", {"attention.score": "mine"}, cite="ours")]
    NOTE = 3

Such a statement gives a name to a value that is made of constants, of what `attn_nlp.experiment`
defines, and of functions that only return such a value, so that nothing else changes; and the name
stands in no statement that counts, here or in another module of the user's. Where any of the user's
code may reach a name in another way, such as by `globals()`, all statements count.
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
# By these code may reach a name that it does not spell, or its own source.
_REACHING = {
    *("globals", "locals", "vars", "dir", "eval", "exec", "builtins", "__builtins__", "__import__"),
    *("modules", "import_module", "importlib", "inspect", "runpy", "pkgutil", "linecache"),
    *("f_globals", "f_locals", "f_back", "tb_frame", "currentframe", "_getframe", "gc", "ctypes"),
    *("pickle", "dill", "cloudpickle", "marshal", "__dict__", "__globals__", "__closure__"),
    *("__main__", "__loader__", "__spec__", "__getattr__"),
}
_WORD = re.compile(r"\w+")


def arranging(
    tree: ast.Module, others: Collection[ast.Module], leaves: Callable[[ast.stmt], bool]
) -> set[ast.stmt]:
    """The statements of a file that only arrange its experiment.

    Args:
      tree: of the file, without what a run never enters.
      others: of the other modules of the user's that a part reaches.
      leaves: whether a statement is the experiment itself, which does not count.
    """
    trees = [tree, *others]
    if any(not words.isdisjoint(_REACHING) or "*" in words for words in map(_exact, trees)):
        return set()
    values = _values(tree)
    idle = {name for name, value in values.items() if value is not None}
    statements = [node for node in tree.body if not leaves(node)]
    outer: set[str] = set().union(*map(_words, others))
    while True:
        counting = [node for node in statements if _named(node) not in idle]
        used = outer.union(*map(_words, counting))
        if idle.isdisjoint(used):
            return {node for node in statements if _named(node) in idle}
        idle -= used


def _values(tree: ast.Module) -> dict[str, ast.expr | None]:
    """The expression that a name stands for, None where it may change something else."""
    bound = Counter(each for node in ast.walk(tree) for each in _bound(node))
    once = {name for name, times in bound.items() if times == 1}
    made = {
        each.asname or each.name
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and node.module in _FROM and not node.level
        for each in node.names
        if each.name in _MAKING
    }
    calls = (made & once) | (_PURE - {*bound})
    values: dict[str, ast.expr | None] = {}
    for node in tree.body:
        known = {each for each, other in values.items() if other}
        if isinstance(node, ast.FunctionDef) and node.name in once:
            calls |= {node.name} if _is_formula(node, calls, known) else set()
        name = _named(node)
        if name in once and not name.startswith("__"):
            value = node.value  # pyright: ignore[reportAttributeAccessIssue]
            values[name] = value if _is_pure(value, calls, known) else None
    return values


def _named(node: ast.stmt) -> str:
    """The one name that a statement gives a value, "" for any other statement."""
    match node:
        case ast.Assign(targets=[ast.Name(id=name)]):
            return name
    return ""


def _is_formula(node: ast.FunctionDef, calls: Collection[str], known: Collection[str]) -> bool:
    """Whether a function only returns an expression that changes nothing."""
    given, body = node.args, node.body
    if isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
        body = body[1:]
    if node.decorator_list or len(body) != 1:
        return False
    inner = {each.arg for each in ast.walk(given) if isinstance(each, ast.arg)}
    defaults = [*given.defaults, *filter(None, given.kw_defaults)]
    match body[0]:
        case ast.Return(value=ast.expr() as value) if inner.isdisjoint(calls):
            pure = all(_is_pure(each, calls, known) for each in defaults)
            return pure and _is_pure(value, calls, {*known, *inner})
    return False


def _is_pure(node: ast.AST, calls: Collection[str], known: Collection[str]) -> bool:
    """Whether an expression is made of constants and of calls that change nothing."""

    def pure(*nodes: ast.AST | None) -> bool:
        return all(each is None or _is_pure(each, calls, known) for each in nodes)

    match node:
        case ast.Constant():
            return True
        case ast.Name(id=name):
            return name in known
        case ast.Call(func=ast.Name(id=name), args=args, keywords=keywords):
            return name in calls and pure(*args, *(each.value for each in keywords))
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
        inner |= {each.id for each in ast.walk(loop.target) if isinstance(each, ast.Name)}
        made = [*made, *loop.ifs]
    return all(_is_pure(each, calls, inner) for each in made)


def _bound(node: ast.AST) -> Iterator[str]:
    """The names that a node binds, in whatever scope."""
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
    """The names in a file, also those that are the whole of a text, and "*"."""
    return frozenset(text for node in ast.walk(tree) for text in _spelled(node))


def _words(node: ast.AST) -> set[str]:
    """The names in code, also those within its texts, but for docstrings."""
    nodes = [*ast.walk(node)]
    alone = {each.value for each in nodes if isinstance(each, ast.Expr)}
    texts = {each for each in alone if isinstance(each, ast.Constant)}
    spelled = (text for each in nodes if each not in texts for text in _spelled(each))
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
