"""Describe the values that modules of the user's hold once they have run.

    GAIN = int(open("gain.txt", opener=at_root).read())

Text and noted files do not determine every value: there are more ways to learn something than
anyone can listen to. So the values count too, as far as they are data: numbers, texts, containers,
arrays, and attributes of the user's own objects, classes and functions. Numbers are rounded, and of
arrays that were computed a summary counts, so that another processor's last digits do not make
another part. Values that differ from run to run or from machine to machine by their very nature,
such as times, are left out, and so are paths.
"""

from __future__ import annotations

import ast
import collections
import functools
import hashlib
import math
import os
import re
import sys
import types
from collections.abc import Callable, Collection, Iterator, Mapping

from attn_nlp.user_code.arranged import bound_outside_functions, pure_values
from attn_nlp.user_code.asked import is_output
from attn_nlp.user_code.origins import Origins

_DIGITS = 9  # of a number that are compared
_DIGITS_OF_ARRAYS = 4  # of a summary of an array, which may be of float32
_MOST = 1_000_000  # values that are looked at in a module; numbers and texts in a list are one
_DEEPEST = 32
_PLAIN = {bool, bytes, complex, float, int, str, type(None)}
_DESCRIPTORS = {"fileno", "dup"}  # calls that give a number by which a file is known for now
_ADDRESS = re.compile(r" at 0x[0-9a-f]{4,}")


def values(
    space: Mapping[str, object],
    tree: ast.Module,
    left: Collection[ast.stmt],
    origins: Origins,
    owns: Callable[[str], bool],
) -> Iterator[str]:
    """Yield a line for each name of a module whose value its text does not determine.

    Args:
      space: the namespace of the module, after it has run.
      tree: its code.
      left: statements of it that do not count.
      origins: where the values of names come from.
      owns: returns whether a module is the user's.
    """
    pure = pure_values(tree)
    names: dict[str, None] = {}
    for node in tree.body:
        counts = node not in left and not _is_descriptor(node)
        if counts and not isinstance(node, ast.Import | ast.ImportFrom):
            names |= dict.fromkeys(bound_outside_functions(node))
    teller = _Teller(owns)
    for name in sorted(names.keys() - {*origins.volatile}):
        value = space.get(name)
        if name in pure and not isinstance(value, dict | list | set | bytearray):
            continue  # nothing can change it
        teller.listed, teller.exact = name in origins.listed, name not in origins.computed
        told = teller.told(value)
        if told:
            yield f"{name} = {hashlib.sha256(told.encode('utf-8', 'replace')).hexdigest()[:16]}"


def _is_descriptor(node: ast.stmt) -> bool:
    """Return whether a statement assigns the number of an open file, which says nothing."""
    match node:
        case ast.Assign(value=ast.Call(func=ast.Attribute(attr="open", value=ast.Name(id="os")))):
            return True
        case ast.Assign(value=ast.Call(func=ast.Attribute(attr=name))):
            return name in _DESCRIPTORS
    return False


class _Teller:
    """Tells values as text; "" if nothing in them is data.

    Attributes:
      listed: whether the value comes from the entries of a folder, whose order means nothing.
      exact: whether arrays have the same bits on every machine.
    """

    listed = exact = False

    def __init__(self, owns: Callable[[str], bool]) -> None:
        self._owns = owns
        self._left = _MOST
        self._active: set[int] = set()

    def told(self, value: object, depth: int = 0) -> str:
        """Return the text of a value."""
        self._left -= 1
        if depth > _DEEPEST or self._left < 0 or id(value) in self._active:
            return ""
        plain = _plain(value)
        if plain is not None:
            return plain
        self._active.add(id(value))
        try:
            return self._inside(value, depth + 1)
        except Exception:
            return ""
        finally:
            self._active.discard(id(value))

    def _inside(self, value: object, depth: int) -> str:
        if isinstance(value, Mapping):
            keys, items = self._each(value, depth), self._each(value.values(), depth)
            return self._marked("{", sorted(map("{}:{}".format, keys, items)))
        if isinstance(value, set | frozenset):
            return self._marked("set", sorted(self._each(value, depth)))
        if isinstance(value, list | tuple | collections.deque):
            if self.listed:
                kept = [item for item in value if not _is_entry_that_is_output(item)]
                return self._marked("[", sorted(self._each(kept, depth)))
            return self._marked("[", self._each(value, depth))
        if isinstance(value, functools.partial):
            return self.told((value.func, value.args, value.keywords), depth)
        if isinstance(value, types.SimpleNamespace):
            return self.told(vars(value), depth)
        inner = getattr(value, "__wrapped__", None)  # of `functools.cache` or `jax.jit`
        if isinstance(inner, types.FunctionType) and not isinstance(value, types.FunctionType):
            return self.told(inner, depth)
        if type(value).__module__.partition(".")[0] in ("numpy", "jax", "jaxlib"):
            return _array(value, functools.partial(self.told, depth=depth), self.exact)
        if isinstance(value, types.MethodType):
            return self.told((value.__func__, value.__self__), depth)
        if isinstance(value, property):
            return self.told((value.fget, value.fset, value.fdel), depth)
        if isinstance(value, types.FunctionType):
            if not self._owns(value.__module__ or ""):
                return ""
            cells = [_content(cell) for cell in value.__closure__ or ()]
            return self.told((value.__defaults__, value.__kwdefaults__, cells), depth)
        kind = value if isinstance(value, type) else type(value)
        if not self._owns(kind.__module__):
            return ""
        state = dict(vars(value)) if hasattr(value, "__dict__") else {}
        for base in kind.__mro__ if not isinstance(value, type) else ():
            slots = base.__dict__.get("__slots__", ())
            for name in (slots,) if isinstance(slots, str) else slots:
                if hasattr(value, name):
                    state[name] = getattr(value, name)
        kept = {name: item for name, item in state.items() if not _is_special(name)}
        return self.told(kept, depth)

    def _each(self, items: Collection[object], depth: int) -> list[str]:
        if _PLAIN.issuperset(map(type, items)):
            return [_plain(item) or "" for item in items]
        return [self.told(item, depth) for item in items]

    def _marked(self, mark: str, texts: list[str]) -> str:
        return f"{mark}{len(texts)}|" + ",".join(texts)


def _plain(value: object) -> str | None:
    """Return the text of a value without parts, "" for one that does not count, None for others."""
    if value is None or isinstance(value, bool):
        return repr(value)
    if isinstance(value, int):
        return f"{int(value):x}"
    if isinstance(value, float):
        return f"{float(value):.{_DIGITS}g}"
    if isinstance(value, complex):
        return f"{value.real:.{_DIGITS}g} {value.imag:.{_DIGITS}g}"
    if isinstance(value, str):
        return "" if os.path.isabs(value) or _ADDRESS.search(value) else repr(str(value))
    if isinstance(value, bytes | bytearray):
        return hashlib.sha256(value).hexdigest()
    if isinstance(value, os.PathLike | types.ModuleType):
        return ""
    if isinstance(value, range) or type(value).__module__ in ("datetime", "decimal", "fractions"):
        return repr(value)
    return None


def _content(cell: types.CellType) -> object:
    try:
        return cell.cell_contents
    except ValueError:  # it is empty
        return None


def _is_entry_that_is_output(value: object) -> bool:
    """Return whether a value is a path that decides nothing, or the row of one in `os.walk`."""
    value = value[0] if isinstance(value, tuple) and value else value
    named = isinstance(value, str | os.PathLike)
    name = os.path.basename(os.fspath(value)) if named else ""  # type: ignore[arg-type]
    return isinstance(name, str) and (name.startswith(".") or is_output(name))


def _array(value: object, told: Callable[[object], str], exact: bool) -> str:
    """Return the text of an array or a number of NumPy or JAX.

    An array that no library has computed has the same bits everywhere, so all bits count. One that
    was computed has other last digits on another processor. However they are rounded, some of many
    numbers lie where a last digit decides, so for such an array only its moments count.
    """
    numpy = sys.modules["numpy"]
    array = numpy.asarray(value)
    head = f"{array.dtype.str}{array.shape}"
    if array.dtype.kind in "biuSUM m" or (exact and array.dtype.kind in "fc"):
        return head + hashlib.sha256(numpy.ascontiguousarray(array).tobytes()).hexdigest()
    if array.dtype.kind == "O":
        return head + told(array.tolist())
    if array.dtype.kind == "c":
        return _array(numpy.stack([array.real, array.imag]), told, exact)
    numbers = array.astype(float).ravel()
    finite = numbers[numpy.isfinite(numbers)]
    if not finite.size:
        return f"{head}{numbers.size}"
    weights = numpy.cos(numpy.arange(finite.size))  # so that the order counts
    size = float(numpy.abs(finite).max()) or 1.0
    summary = (finite.min(), finite.max(), finite.mean(), finite.std(), (finite * weights).mean())
    step = 10.0 ** (math.floor(math.log10(size)) - _DIGITS_OF_ARRAYS + 1)
    return f"{head}{finite.size}" + " ".join(f"{round(float(part) / step)}" for part in summary)


def _is_special(name: str) -> bool:
    return name.startswith("__") and name.endswith("__")
