"""From a file or a store's name to a resolved experiment, with what the command line changes.

An experiment file is ordinary Python that defines `experiment`. Loading it runs it, as running any
script does; it trains nothing.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import inspect
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.machinery import SourceFileLoader
from pathlib import Path

from attn_nlp.experiment.axes import Axis, normalised, replace_axis, restrict
from attn_nlp.experiment.cell import Cell, check_path, check_value, get, parse
from attn_nlp.experiment.checks import MOST
from attn_nlp.experiment.definition import Experiment
from attn_nlp.experiment.resolved import Resolved
from attn_nlp.experiment.tuning import Tuning
from attn_nlp.mistakes import Mistake, nearest


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


class _Fresh(SourceFileLoader):
    """Runs the text that stands in the file, never bytecode kept of an earlier one.

    Kept bytecode is told apart by the second and the size only, while identity hashes the text.
    """

    def path_stats(self, path):
        raise OSError("no bytecode is read or kept")


def load_file(path: str | Path) -> tuple[Experiment, str, str]:
    """The experiment of a file, its name and its docstring.

    Raises:
      Mistake: no such file, it cannot be run, or it defines no `experiment`.
    """
    path = Path(path)
    if not path.is_file():
        beside = [str(each) for each in path.parent.glob("*.py")] if path.parent.is_dir() else []
        close = nearest(str(path), beside)
        raise Mistake(
            f"no experiment file {str(path)!r}." + (f" Did you mean {close!r}?" if close else "")
        )
    if path.suffix != ".py":
        raise Mistake(f"{str(path)!r} is no experiment file; its name must end in .py.")
    name = f"attn_nlp_experiment_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path, loader=_Fresh(name, str(path)))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # a part's source is looked up by its module
    try:
        spec.loader.exec_module(module)
    except SyntaxError as error:
        raise Mistake(f"{path}, line {error.lineno}: {error.msg}.") from error
    except Mistake:
        raise
    except Exception as error:  # the file is the user's; `python FILE` shows the whole traceback
        lines = [
            e.lineno for e in traceback.extract_tb(error.__traceback__) if e.filename == str(path)
        ]
        where = f", line {lines[-1]}" if lines else ""
        raise Mistake(f"{path}{where}: {type(error).__name__}: {error}.") from error
    found = getattr(module, "experiment", None)
    if not isinstance(found, Experiment):
        raise Mistake(f"{str(path)!r} defines no `experiment = Experiment(...)`.")
    return found, path.stem, inspect.cleandoc(module.__doc__ or "")


def resolve_file(path: str | Path, overrides: Overrides | None = None) -> Resolved:
    """The resolved experiment of a file, with the overrides applied.

    Raises:
      Mistake: whatever does not hold together, in one sentence.
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
            raise Mistake(f"--seeds is {overrides.seeds}; give {bound}.")
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
            raise Mistake(f"{path} is chosen by the trials of the tuning; do not give it.")


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
    raise Mistake(
        f"this experiment does not vary {path!r}, and its tables have no place for "
        f"{len(values)} values; give one value."
    )


def _assignment(option: str, text: str) -> tuple[str, tuple[object, ...]]:
    path, equals, values = text.partition("=")
    if not equals or not values:
        raise Mistake(f"{option} {text!r}: write it as path=value or path=value,value.")
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
        where = normalised(table.where)
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
        raise Mistake(f"with these options no table has any cell left; the tables are: {titles}.")
    return tuple(kept)
