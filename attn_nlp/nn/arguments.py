"""Reject calls of a module by unknown argument names in one sentence that lists the known ones."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

from flax import nnx

from attn_nlp.errors import unknown


class NamedArguments(nnx.Module):
    """A module that checks the argument names of its calls, as in `layer(x, sow=True)`."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "__call__" in vars(cls):
            cls.__call__ = _checked(cls.__call__)


def _checked(call: Callable) -> Callable:
    known = [name for name in inspect.signature(call).parameters if name != "self"]

    @functools.wraps(call)
    def checked(self, *given, **named):
        for name in named:
            if name not in known:
                raise unknown(f"argument of a call of {type(self).__name__}", name, known)
        return call(self, *given, **named)

    return checked
