"""From a file to a resolved experiment, with the changes of the command line.

An experiment file is ordinary Python that defines `experiment`. Loading it runs it, as a script;
it trains nothing.
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
from attn_nlp.user_code.loads import Load, file_of
from attn_nlp.user_code.modules import Fresh, is_own
from attn_nlp.user_code.patches import patches
from attn_nlp.wording import is_utf8


@dataclass(frozen=True)
class Overrides:
    """Changes of an experiment by the command line, without editing its file.

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
    """Return the experiment of a file, its name and its docstring.

    Modules next to the file may be imported, as if Python ran it as a script. The working
    directory is restored.

    Raises:
      UserError: there is no such file, it cannot be run, or it does not define `experiment`.
    """
    path = Path(path)
    if not is_utf8(path.stem):  # which is the experiment's name
        raise UserError(
            f"experiment file {str(path)!r}: its name is not valid UTF-8, and no store can hold "
            "it; rename the file."
        )
    if not path.is_file():
        others = [str(other) for other in path.parent.glob("*.py")] if path.parent.is_dir() else []
        close = nearest(str(path), others)
        raise UserError(
            f"no experiment file {str(path)!r}." + (f" Did you mean {close!r}?" if close else "")
        )
    if path.suffix != ".py":
        raise UserError(f"{str(path)!r} is not an experiment file; its name must end in .py.")
    file = os.path.abspath(path)
    if is_loading(file):
        raise UserError(
            f'{path} is being read; put what reads it again below `if __name__ == "__main__":`.'
        )
    load_builtin()  # what installed packages register is not part of the file
    with loading(file) as load:
        module = _run(load, path)
    jax = sys.modules.get("jax")
    if jax is not None and jax.config.jax_enable_x64:
        raise UserError(
            f"{path} sets jax_enable_x64; cells are trained in float32. Remove that line."
        )
    _check_patches(load)
    traced = reach([load.name])
    load.untraced = tuple(
        name for name in (load.name, *load.brought) if name not in traced or writes(traced[name])
    )
    _check_names(load, traced)
    settle(load)
    experiment = getattr(module, "experiment", None)
    if experiment is None:
        raise UserError(f"{str(path)!r} does not define `experiment = Experiment(...)`.")
    if not isinstance(experiment, Experiment):
        given = experiment if isinstance(experiment, type) else type(experiment)
        raise UserError(
            f"`experiment` of {str(path)!r} is of type {given.__name__}; write "
            "`experiment = Experiment(...)`."
        )
    return experiment, path.stem, inspect.cleandoc(module.__doc__ or "")


def _check_patches(load: Load) -> None:
    """Reject code that replaces something in a library for all cells, built-in ones included."""
    for file in filter(None, (load.file, *map(file_of, load.brought))):
        line, replaced = next(patches(file), (0, ""))
        if replaced:
            raise UserError(
                f"{os.path.basename(file)}, line {line}: {replaced} is replaced, which would "
                "change results of built-in parts under their names; register a part of your own "
                "instead."
            )


def _run(load: Load, path: Path) -> ModuleType:
    """Return the module of an experiment file."""
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
            f"{_where(error, load, path)}: the file calls sys.exit(); it must run to its end, so "
            "that its experiment is defined."
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
        words = words_of(error, lines=None)
        end = "" if words.endswith(".") else "."
        raise UserError(f"{_where(error, load, path)}: {words}{end}") from error
    return module


def _where(error: BaseException, load: Load, path: Path) -> str:
    """Return the innermost line of the user's code in a traceback, and the line of the file."""
    lines = [
        (os.path.abspath(frame.filename), frame.lineno)
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename[0] != "<" and is_own(os.path.abspath(frame.filename))
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
    """Reject a module next to the file whose name is needed for another one."""
    folder = os.path.dirname(load.file)
    with contextlib.suppress(OSError):
        here = {entry.partition(".")[0] for entry in os.listdir(folder)}
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
    """Return whether Python, or what this package depends on, has a module of that name."""
    if name in sys.stdlib_module_names or name == "attn_nlp":
        return True
    from importlib import metadata  # slow to import, and rarely needed

    waiting, known = ["attn_nlp"], set()
    while waiting:
        package = re.split(r"[^\w.-]", waiting.pop(), maxsplit=1)[0].lower().replace("_", "-")
        if package not in known:
            known.add(package)
            with contextlib.suppress(metadata.PackageNotFoundError):
                waiting += metadata.requires(package) or []
    owners = metadata.packages_distributions().get(name, ())
    return any(owner.lower().replace("_", "-") in known for owner in owners)


def resolve_file(path: str | Path, overrides: Overrides | None = None) -> Resolved:
    """Return the resolved experiment of a file, with the overrides applied.

    Raises:
      UserError: the file, its experiment or an override is invalid; one sentence says why.
    """
    experiment, name, question = load_file(path)
    overrides = overrides or Overrides()
    changed = apply(experiment, overrides)
    return changed.resolve(name, question, partial=overrides != Overrides())


def apply(experiment: Experiment, overrides: Overrides) -> Experiment:
    """Return the experiment with other values on its axes, and only the tables with any cell."""
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
        _check_reference(experiment, path, values)
        axes = restrict(axes, path, values)
    tuning = experiment.tuning
    if overrides.budget is not None:
        tuning = dataclasses.replace(tuning or Tuning(), budget=overrides.budget)
    if tuning is not None:
        _leave_to_trials(overrides, tuning)
    changed = dataclasses.replace(experiment, base=base, axes=axes, tuning=tuning)
    return dataclasses.replace(changed, tables=_with_cells(changed))


def _check_reference(experiment: Experiment, path: str, values: Sequence[object]) -> None:
    for table in experiment.tables:
        reference = table.reference if table.rows == path else None
        if reference is not None and check_value(path, reference) not in values:
            raise UserError(
                f"--only {path}: the reference of table {table.title!r} is {reference}, and "
                "every row is compared with it; keep it among the values."
            )


def _leave_to_trials(overrides: Overrides, tuning: Tuning) -> None:
    given = [_assignment("--set", text)[0] for text in overrides.settings]
    given += [_assignment("--only", text)[0] for text in overrides.only]
    for path in given:
        if path in tuning.space:
            raise UserError(f"{path} is chosen by the trials of the tuning; leave it out.")


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
        f"this experiment does not vary {path!r}, and its tables cannot show "
        f"{len(values)} values; give one value."
    )


def _assignment(option: str, text: str) -> tuple[str, tuple[object, ...]]:
    path, equals, values = text.partition("=")
    if not equals or not values:
        raise UserError(f"{option} {text!r}: write it as path=value or path=value,value.")
    path = check_path(path.strip(), "axis" if option == "--only" else "setting")
    return path, tuple(parse(path, value.strip()) for value in _split(values))


def _split(text: str) -> list[str]:
    """Split at commas outside parentheses: "constant(c=1.0),none" is two values."""
    values, depth, value = [], 0, ""
    for character in text:
        depth += (character == "(") - (character == ")")
        if character == "," and depth == 0:
            values.append(value)
            value = ""
        else:
            value += character
    return [*values, value]


def _with_cells(experiment: Experiment) -> tuple:
    """Return the tables whose `where` still holds for some point of every axis."""
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
    if not experiment.tables:
        raise UserError("the experiment has no table; give tables=[Table(...)].")
    if not kept:
        titles = "; ".join(table.title for table in experiment.tables)
        raise UserError(f"with these options no table has any cell left; the tables are: {titles}.")
    return tuple(kept)
