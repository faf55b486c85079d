"""From a file or a store's name to a resolved experiment, with what the command line changes.

An experiment file is ordinary Python that defines `experiment`. Loading it runs it, as running any
script does; it trains nothing.
"""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.util
import inspect
import os
import re
import sys
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from attn_nlp.errors import UserError, nearest
from attn_nlp.experiment.axes import Axis, normalized, replace_axis, restrict
from attn_nlp.experiment.cell import Cell, check_path, check_value, get, parse
from attn_nlp.experiment.checks import MOST
from attn_nlp.experiment.definition import Experiment
from attn_nlp.experiment.resolved import Resolved
from attn_nlp.experiment.tuning import Tuning
from attn_nlp.parts.registry import load_builtin, settle
from attn_nlp.user_code.frames import shown, words_of
from attn_nlp.user_code.hashing import imports, reach, writes
from attn_nlp.user_code.loading import is_loading, loading, shadowed
from attn_nlp.user_code.loads import Load
from attn_nlp.user_code.modules import Fresh, is_own
from attn_nlp.wording import is_utf8


@dataclass(frozen=True)
class Overrides:
    """What the command line changes about an experiment without editing it.

    Attributes:
      datasets: names that replace the values of the dataset axis, or the base cell's.
      seeds: how many seeds, from 0.
      steps: updates of every cell.
      only: "path=value[,value...]": keep these points of an axis.
      settings: "path=value[,value...]": replace an axis or the base cell's setting.
      budget: tune every row with that many trials.
    """

    datasets: Sequence[str] = ()
    seeds: int | None = None
    steps: int | None = None
    only: Sequence[str] = ()
    settings: Sequence[str] = ()
    budget: int | None = None


def load_file(path: str | Path) -> tuple[Experiment, str, str]:
    """The experiment of a file, its name and its docstring.

    Modules beside the file may be imported, as where Python runs it as a script. The working
    directory is afterwards what it was.

    Raises:
      UserError: no such file, it cannot be run, or it defines no `experiment`.
    """
    path = Path(path)
    if not is_utf8(path.stem):  # which is the experiment's name
        raise UserError(
            f"experiment file {str(path)!r}: its name is not valid UTF-8, and no store can hold "
            "it; rename the file."
        )
    if not path.is_file():
        beside = [str(each) for each in path.parent.glob("*.py")] if path.parent.is_dir() else []
        close = nearest(str(path), beside)
        raise UserError(
            f"no experiment file {str(path)!r}." + (f" Did you mean {close!r}?" if close else "")
        )
    if path.suffix != ".py":
        raise UserError(f"{str(path)!r} is no experiment file; its name must end in .py.")
    file = os.path.abspath(path)
    if is_loading(file):
        raise UserError(
            f"{path} is being read; what reads it once more stands below "
            '`if __name__ == "__main__":`.'
        )
    load_builtin()  # what installed packages bring is no part of the file
    with loading(file) as load:
        module = _run(load, path)
    jax = sys.modules.get("jax")
    if jax is not None and jax.config.jax_enable_x64:
        raise UserError(
            f"{path} sets jax_enable_x64; cells are trained in float32. Take that line away."
        )
    traced = reach([load.name])
    load.untraced = tuple(
        name for name in (load.name, *load.brought) if name not in traced or writes(traced[name])
    )
    _check_names(load, traced)
    settle(load)
    found = getattr(module, "experiment", None)
    if found is None:
        raise UserError(f"{str(path)!r} defines no `experiment = Experiment(...)`.")
    if not isinstance(found, Experiment):
        what = found.__name__ if isinstance(found, type) else type(found).__name__
        raise UserError(
            f"`experiment` of {str(path)!r} is of type {what}; write "
            "`experiment = Experiment(...)`."
        )
    return found, path.stem, inspect.cleandoc(module.__doc__ or "")


def _run(load: Load, path: Path) -> ModuleType:
    """The module of an experiment file."""
    spec = importlib.util.spec_from_file_location(
        load.name, load.file, loader=Fresh(load.name, load.file)
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[load.name] = module  # a part's source is looked up by its module
    try:
        spec.loader.exec_module(module)
    except KeyboardInterrupt:
        raise
    except SystemExit as error:
        raise UserError(
            f"{_where(error, load, path)}: the file ends Python by sys.exit(); it must run to its "
            "end, so that its experiment is known."
        ) from error
    except SyntaxError as error:
        if error.filename is None or not os.path.isfile(error.filename):  # it ran a text
            raise UserError(
                f"{_where(error, load, path)}: {words_of(error, lines=None)}."
            ) from error
        file = os.path.abspath(error.filename)
        named = path if file == load.file else shown(file)
        raise UserError(f"{named}, line {error.lineno}: {error.msg}.") from error
    except UserError as error:
        raise UserError(f"{_where(error, load, path)}: {error}") from error
    except BaseException as error:  # the file is the user's; `python FILE` shows the traceback
        told = words_of(error, lines=None)
        end = "" if told.endswith(".") else "."
        raise UserError(f"{_where(error, load, path)}: {told}{end}") from error
    return module


def _where(error: BaseException, load: Load, path: Path) -> str:
    """The innermost line of the user's code in a traceback, and the file's own that led there."""
    lines = [
        (os.path.abspath(each.filename), each.lineno)
        for each in traceback.extract_tb(error.__traceback__)
        if each.filename[0] != "<" and is_own(os.path.abspath(each.filename))
    ]
    if not lines:
        return str(path)
    file, line = lines[-1]
    if file == load.file:
        return f"{path}, line {line}"
    own = [line for file, line in lines if file == load.file]
    way = f", by way of {path}, line {own[-1]}" if own else ""
    return f"{shown(file)}, line {line}{way}"


def _check_names(load: Load, traced: Mapping[str, str | None]) -> None:
    """Refuse a module beside the file whose name is needed for another one."""
    folder = os.path.dirname(load.file)
    with contextlib.suppress(OSError):
        here = {each.partition(".")[0] for each in os.listdir(folder)}
        files = [file for file in traced.values() if file is not None]
        asked = {name.partition(".")[0] for file in files for name in imports(file)}
        for name in sorted((asked | set(load.brought)) & here):
            file = shadowed(name)
            if file is not None and _needed(name):
                raise UserError(
                    f"{shown(file)} has the name of a module that Python or attn_nlp "
                    f"needs, {name!r}; give your file another name."
                )


def _needed(name: str) -> bool:
    """Whether Python or what this package is installed with brings a module of that name."""
    if name in sys.stdlib_module_names or name == "attn_nlp":
        return True
    from importlib import metadata  # slow to import, and hardly ever asked

    waiting, known = ["attn_nlp"], set()
    while waiting:
        each = re.split(r"[^\w.-]", waiting.pop(), maxsplit=1)[0].lower().replace("_", "-")
        if each not in known:
            known.add(each)
            with contextlib.suppress(metadata.PackageNotFoundError):
                waiting += metadata.requires(each) or []
    owners = metadata.packages_distributions().get(name, ())
    return any(each.lower().replace("_", "-") in known for each in owners)


def resolve_file(path: str | Path, overrides: Overrides | None = None) -> Resolved:
    """The resolved experiment of a file, with the overrides applied.

    Raises:
      UserError: whatever does not hold together, in one sentence.
    """
    experiment, name, question = load_file(path)
    overrides = overrides or Overrides()
    changed = apply(experiment, overrides)
    return changed.resolve(name, question, partial=overrides != Overrides())


def apply(experiment: Experiment, overrides: Overrides) -> Experiment:
    """The experiment with other values on its axes, and only the tables that keep any cell."""
    base, axes = experiment.base, tuple(experiment.axes)
    if overrides.datasets:
        base, axes = _set(base, axes, "dataset", tuple(overrides.datasets))
    if overrides.seeds is not None:
        if not 1 <= overrides.seeds <= MOST:
            bound = "at least 1" if overrides.seeds < 1 else f"at most {MOST:,}"
            raise UserError(f"--seeds is {overrides.seeds}; give {bound}.")
        base, axes = _set(base, axes, "seed", tuple(range(overrides.seeds)))
    if overrides.steps is not None:
        base, axes = _set(base, axes, "steps", (overrides.steps,))
    for text in overrides.settings:
        path, values = _assignment("--set", text)
        base, axes = _set(base, axes, path, values)
    for text in overrides.only:
        path, values = _assignment("--only", text)
        axes = restrict(axes, path, values)
    tuning = experiment.tuning
    if overrides.budget is not None:
        tuning = dataclasses.replace(tuning or Tuning(), budget=overrides.budget)
    if tuning is not None:
        _leave_to_trials(overrides, tuning)
    changed = dataclasses.replace(experiment, base=base, axes=axes, tuning=tuning)
    return dataclasses.replace(changed, tables=_with_cells(changed))


def _leave_to_trials(overrides: Overrides, tuning: Tuning) -> None:
    given = [_assignment("--set", text)[0] for text in overrides.settings]
    given += [_assignment("--only", text)[0] for text in overrides.only]
    for path in given:
        if path in tuning.space:
            raise UserError(f"{path} is chosen by the trials of the tuning; do not give it.")


def _set(
    base: Cell, axes: tuple[Axis, ...], path: str, values: tuple[object, ...]
) -> tuple[Cell, tuple[Axis, ...]]:
    values = tuple(dict.fromkeys(check_value(path, value) for value in values))
    axis = Axis(tuple({path: value} for value in values))
    axes, replaced = replace_axis(axes, axis)
    if replaced:
        return base, axes
    if len(values) == 1:
        return base.replace({path: values[0]}), axes
    raise UserError(
        f"this experiment does not vary {path!r}, and its tables have no place for "
        f"{len(values)} values; give one value."
    )


def _assignment(option: str, text: str) -> tuple[str, tuple[object, ...]]:
    path, equals, values = text.partition("=")
    if not equals or not values:
        raise UserError(f"{option} {text!r}: write it as path=value or path=value,value.")
    path = check_path(path.strip(), "axis" if option == "--only" else "setting")
    return path, tuple(parse(path, value.strip()) for value in _split(values))


def _split(text: str) -> list[str]:
    """Split at commas outside brackets: "constant(c=1.0),none" is two values."""
    pieces, depth, piece = [], 0, ""
    for letter in text:
        depth += (letter == "(") - (letter == ")")
        if letter == "," and depth == 0:
            pieces.append(piece)
            piece = ""
        else:
            piece += letter
    return [*pieces, piece]


def _with_cells(experiment: Experiment) -> tuple:
    """The tables whose `where` still holds for some point of every axis."""
    kept = []
    for table in experiment.tables:
        where = normalized(table.where)
        possible = all(
            any(path in axis.paths and value in axis.values(path) for axis in experiment.axes)
            or (
                all(path not in axis.paths for axis in experiment.axes)
                and get(experiment.base, path) == value
            )
            for path, value in where.items()
        )
        if possible:
            kept.append(table)
    if not kept:
        titles = "; ".join(table.title for table in experiment.tables)
        raise UserError(f"with these options no table has any cell left; the tables are: {titles}.")
    return tuple(kept)
