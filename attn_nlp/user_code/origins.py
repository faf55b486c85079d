"""Tell where the values of names come from, by following names through the user's code.

A function that only says how long it took returns nothing of the clock, so in functions it counts
what reaches a `return`, an attribute, an item, or a global name.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Iterator
from typing import NamedTuple

from attn_nlp.user_code.arranged import bound_outside_functions

_Marked = Callable[[ast.AST], bool]
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)

# Calls that give other values in the next run or on the next machine.
_CALLS = {
    *("time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns"),
    *("process_time", "now", "today", "utcnow", "localtime", "gmtime", "strftime", "asctime"),
    *("uuid1", "uuid4", "urandom", "getrandbits", "token_hex", "token_bytes", "token_urlsafe"),
    *("SystemRandom", "getpid", "getppid", "get_ident", "id", "hash", "mkdtemp", "mkstemp"),
    *("getmtime", "getctime", "getatime", "getrusage", "get_terminal_size"),
    *("cpu_count", "process_cpu_count", "sched_getaffinity", "uname", "node", "gethostname"),
    *("getfqdn", "getuser", "getlogin", "devices", "local_devices", "device_count"),
    *("local_device_count", "default_backend"),
    *("getenv", "expandvars"),  # what is read is recorded without what decides nothing; `asked.py`
}
_NAMES = {"environ", "environb", "getenv", "st_mtime", "st_ctime", "st_atime", "st_ino", "st_dev"}
_LISTING = {"listdir", "scandir", "iterdir", "glob", "rglob", "iglob", "walk"}
_CHANGING = {"add", "append", "appendleft", "extend", "insert", "put", "setdefault", "update"}
# Calls that give the same bits on every machine, besides those that only read.
_EXACT = {
    *("array", "asarray", "ascontiguousarray", "asanyarray", "frombuffer", "zeros", "ones", "full"),
    *("reshape", "ravel", "flatten", "astype", "copy", "transpose", "squeeze", "stack", "where"),
    *("concatenate", "vstack", "hstack", "repeat", "tile", "clip", "round", "abs", "tolist"),
    *("float32", "float64", "item", "items", "keys", "values", "get", "select", "column"),
    *("to_numpy", "to_pylist", "to_list", "as_py", "to_pandas", "get_tensor", "float", "int"),
    *("str", "bool", "list", "tuple", "dict", "set", "sorted", "range", "zip", "enumerate", "len"),
    *("min", "max", "Path", "join", "dirname", "abspath", "resolve", "with_suffix", "with_name"),
    *("print", "format", "split", "strip", "loads", "load", "open", "close", "memmap", "fromfile"),
    *("load_file", "safe_open", "loadtxt", "genfromtxt", "File", "Dataset", "loadmat", "mmread"),
}
_READING = ("read_", "scan_", "from_", "open_", "load_")


class Origins(NamedTuple):
    """Names by where their values come from.

    Attributes:
      volatile: from something that differs from run to run or from machine to machine.
      listed: from the entries of a folder.
      computed: from calls whose last digits may depend on the machine.
    """

    volatile: Collection[str]
    listed: Collection[str]
    computed: Collection[str]


def origins(trees: Collection[ast.Module]) -> Origins:
    """Return where the values of names come from, directly or by way of others.

    Args:
      trees: all code of the user's that a part reaches.
    """
    statements = [
        node
        for tree in trees
        for node in tree.body
        if not isinstance(node, ast.Import | ast.ImportFrom)
    ]
    own = {
        node.name
        for statement in statements
        for node in ast.walk(statement)
        if isinstance(node, (*_FUNCTIONS, ast.ClassDef))
    }

    exact = _EXACT | _LISTING | _CALLS | own

    def is_computed(node: ast.AST) -> bool:
        match node:
            case ast.MatMult() | ast.Pow():
                return True
            case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)):
                return name not in exact and not name.startswith(_READING)
        return False

    return Origins(
        _followed(statements, _is_volatile),
        _followed(statements, _is_listing),
        _followed(statements, is_computed),
    )


def _followed(statements: Collection[ast.stmt], seed: _Marked) -> set[str]:
    """Return the names whose values contain what is marked, directly or by way of others."""
    found: set[str] = set()

    def marked(node: ast.AST) -> bool:
        match node:
            case ast.Name(id=name, ctx=ast.Load()) | ast.Attribute(attr=name):
                return name in found or seed(node)
        return seed(node)

    used = [(node, {*_used(node)}) for node in statements]
    new = {name for node in statements for name in _reached(node, marked)}
    while new - found:
        new, found = new - found, found | new
        touched = [node for node, names in used if not names.isdisjoint(new)]
        new = {name for node in touched for name in _reached(node, marked)}
    return found


def _reached(statement: ast.stmt, marked: _Marked) -> set[str]:
    """Return the names of a module that get something marked from a statement."""
    names: set[str] = set()
    for node in _outside_functions(statement):
        if isinstance(node, _FUNCTIONS):
            given = _given(node, marked)
            names |= given - {node.name}
            if node.name in given:
                names |= _changed(statement)
        elif marked(node):
            names |= _changed(statement)
    return names


def _changed(statement: ast.stmt) -> set[str]:
    """Return the names that a statement binds, or whose attributes or items it changes."""
    names = bound_outside_functions(statement)
    for node in _outside_functions(statement):
        match node:
            case ast.Assign(targets=targets):
                names.update(_roots(*targets))
            case ast.AugAssign(target=target):
                names.update(_roots(target))
            case ast.Call(func=ast.Attribute(attr=name, value=value)) if name in _CHANGING:
                names.update(_roots(value))
    return names


def _given(function: ast.FunctionDef | ast.AsyncFunctionDef, marked: _Marked) -> set[str]:
    """Return the names outside of a function that get something marked from it.

    Its own name is among them if it returns that, or changes one of its arguments to it.
    """
    nodes = [node for statement in function.body for node in _outside_functions(statement)]
    outer = {
        name for node in nodes if isinstance(node, ast.Global | ast.Nonlocal) for name in node.names
    }
    local = {name for statement in function.body for name in bound_outside_functions(statement)}
    local -= outer
    arguments = {node.arg for node in ast.walk(function.args) if isinstance(node, ast.arg)}
    inside: set[str] = set()  # names that have it

    def has(*parts: ast.AST | None) -> bool:
        return any(
            marked(node) or (isinstance(node, ast.Name) and node.id in inside)
            for part in parts
            if part is not None
            for node in _outside_functions(part)
        )

    def got(node: ast.AST) -> Iterator[str]:
        match node:
            case ast.Return(value=value) | ast.Yield(value=value) | ast.YieldFrom(value=value):
                if has(value):
                    yield function.name
            case ast.Assign(value=value, targets=targets) if has(value):
                yield from _roots(*targets)
            case ast.AnnAssign(value=value, target=target) if has(value):
                yield from _roots(target)
            case ast.AugAssign(value=value, target=target) if has(value):
                yield from _roots(target)
            case ast.NamedExpr(value=value, target=target) if has(value):
                yield from _roots(target)
            case ast.For(iter=value, target=target) | ast.AsyncFor(iter=value, target=target):
                if has(value):
                    yield from _roots(target)
            case ast.withitem(context_expr=value, optional_vars=ast.expr() as target) if has(value):
                yield from _roots(target)
            case ast.Call(func=ast.Attribute(attr=name, value=value)) if name in _CHANGING:
                if has(*node.args, *node.keywords):
                    yield from _roots(value)
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                yield from _given(node, lambda inner: has(inner))
            case ast.ClassDef(name=name) if has(node):
                yield name
        match node:
            case ast.If(test=test) | ast.While(test=test) | ast.Match(subject=test) if has(test):
                for inner in _outside_functions(node):
                    if isinstance(inner, ast.Return):
                        yield function.name
                    elif isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store):
                        yield inner.id

    while True:
        new = {name for node in nodes for name in got(node)}
        if new <= inside:
            break
        inside |= new
    found = (inside - local - arguments) | (inside & {function.name})
    return found | ({function.name} if inside & arguments - local else set())


def _outside_functions(node: ast.AST) -> Iterator[ast.AST]:
    """Yield a node and what is in it, but of a function only its name, defaults and decorators."""
    waiting = [node]
    while waiting:
        current = waiting.pop()
        yield current
        if isinstance(current, _FUNCTIONS):
            waiting += [*current.decorator_list, current.args]
        else:
            waiting += ast.iter_child_nodes(current)


def _roots(*targets: ast.expr) -> Iterator[str]:
    """Yield the names that are assigned, or whose attribute or item is."""
    for target in targets:
        match target:
            case ast.Name(id=name):
                yield name
            case ast.Attribute(value=value) | ast.Subscript(value=value) | ast.Starred(value=value):
                yield from _roots(value)
            case ast.Tuple(elts=parts) | ast.List(elts=parts):
                yield from _roots(*parts)


def _used(node: ast.stmt) -> Iterator[str]:
    for inner in ast.walk(node):
        match inner:
            case ast.Name(id=name, ctx=ast.Load()) | ast.Attribute(attr=name):
                yield name


def _is_volatile(node: ast.AST) -> bool:
    match node:
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)):
            return name in _CALLS
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name in _NAMES
        case ast.Assign(value=ast.Call(func=ast.Name(id="len")) as number):  # `asked.py` records it
            return any(map(_is_listing, ast.walk(number)))
    return False


def _is_listing(node: ast.AST) -> bool:
    match node:
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)):
            return name in _LISTING
    return False
