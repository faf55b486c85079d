"""Models and attention in JAX and Flax.

For a model of your own in Flax NNX: `SelfAttention`, `Encoder` and `Classifier` are modules, and
`attention_fn` returns a function for `flax.nnx.MultiHeadAttention(attention_fn=...)`. They are
loaded when they are first asked for, since the listings of parts import this package without JAX.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from attn_nlp.nn.functional import attention_fn
    from attn_nlp.nn.modules import Classifier, Encoder, SelfAttention

__all__ = ["Classifier", "Encoder", "SelfAttention", "attention_fn"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = "functional" if name == "attention_fn" else "modules"
    return getattr(importlib.import_module(f"{__name__}.{module}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
