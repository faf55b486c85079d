"""Ablations of attention on sentence classification.

Everything that a script or a notebook needs can be imported from here:

    from attn_nlp import Cell, Experiment, Row, Table, run, vary

A name is imported when it is first used, so that `import attn_nlp` loads nothing else.
"""

import os
import sys

from attn_nlp.library_code import VERSION

__version__ = VERSION

TYPE_CHECKING = False  # like that of `typing`, for editors, without the import
if TYPE_CHECKING:
    from attn_nlp import nn, stats
    from attn_nlp.api.results import Results, TableView
    from attn_nlp.api.running import run
    from attn_nlp.api.stored import Store
    from attn_nlp.cli import run_file
    from attn_nlp.data.registry import register_dataset
    from attn_nlp.data.source import Source
    from attn_nlp.errors import UserError
    from attn_nlp.experiment import (
        Attention,
        Cell,
        Experiment,
        Row,
        Table,
        Tuning,
        log_uniform,
        skip,
        together,
        uniform,
        vary,
    )
    from attn_nlp.parts.hooks import Learned, Named, Numeric, Static
    from attn_nlp.parts.registry import (
        activation,
        features,
        init,
        kind,
        mask,
        mixer,
        model,
        normalizer,
        optimizer,
        pooling,
        position,
        scale,
        score,
        weighting,
    )

# Module -> the names that it defines; "" for modules of this package itself.
_NAMES = {
    "attn_nlp.api.results": ("Results", "TableView"),
    "attn_nlp.api.running": ("run",),
    "attn_nlp.api.stored": ("Store",),
    "attn_nlp.cli": ("run_file",),
    "attn_nlp.data.registry": ("register_dataset",),
    "attn_nlp.data.source": ("Source",),
    "attn_nlp.errors": ("UserError",),
    "attn_nlp.experiment": (
        *("Attention", "Cell", "Experiment", "Row", "Table", "Tuning"),
        *("log_uniform", "skip", "together", "uniform", "vary"),
    ),
    "attn_nlp.parts.hooks": ("Learned", "Named", "Numeric", "Static"),
    "attn_nlp.parts.registry": (
        *("activation", "features", "init", "kind", "mask", "mixer", "model", "normalizer"),
        *("optimizer", "pooling", "position", "scale", "score", "weighting"),
    ),
    "": ("nn", "stats"),
}
_HOMES = {name: module for module, names in _NAMES.items() for name in names}

__all__ = [
    "Attention",
    "Cell",
    "Experiment",
    "Learned",
    "Named",
    "Numeric",
    "Results",
    "Row",
    "Source",
    "Static",
    "Store",
    "Table",
    "TableView",
    "Tuning",
    "UserError",
    "activation",
    "features",
    "init",
    "kind",
    "log_uniform",
    "mask",
    "mixer",
    "model",
    "nn",
    "normalizer",
    "optimizer",
    "pooling",
    "position",
    "register_dataset",
    "run",
    "run_file",
    "scale",
    "score",
    "skip",
    "stats",
    "together",
    "uniform",
    "vary",
    "weighting",
]


def __getattr__(name: str) -> object:
    """Import a public name when it is first used.

    Raises:
      AttributeError: there is no such name; `from attn_nlp import ...` then tries a module.
    """
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(home), name) if home else import_module(f"{__name__}.{name}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _search_folder_of_script_last() -> None:
    """Search the folder of the script last, since a library must not import a `json.py` there."""
    script = getattr(sys.modules.get("__main__"), "__file__", None)
    folder = os.path.dirname(os.path.abspath(script)) if script else None
    if folder and sys.path and not sys.flags.safe_path and sys.path[0] == folder:
        sys.path.append(sys.path.pop(0))


_search_folder_of_script_last()
