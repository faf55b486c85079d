"""Run an experiment from Python: a file, or an object of a script, a notebook or the prompt."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from attn_nlp import wording
from attn_nlp.api.progress import chosen, is_interactive
from attn_nlp.api.results import Results
from attn_nlp.api.stored import path_of
from attn_nlp.errors import UserError
from attn_nlp.experiment import Experiment, Resolved
from attn_nlp.experiment.cell import unflatten
from attn_nlp.experiment.load import Overrides, apply, resolve_file
from attn_nlp.parts import registry
from attn_nlp.parts.values import shown
from attn_nlp.user_code.loading import current
from attn_nlp.wording import is_utf8


def run(
    experiment: Experiment | str | Path,
    *,
    store: str | Path | None = None,
    name: str | None = None,
    workers: int | None = None,
    in_process: bool = False,
    only: Mapping[str, object] | Sequence[str] = (),
    retry_failed: bool = False,
    progress: bool | str = "auto",
) -> Results:
    """Train every cell that is not stored yet, and return the results of all.

    This is the run of `attn-nlp run`: stored cells are not trained again, and after an interruption
    the same call resumes.

    Args:
      experiment: an `Experiment`, or the path of an experiment file. Your own parts must be defined
        in a file, since worker processes load them from it and its code identifies results.
      store: the file with the results; by default $ATTN_NLP_STORE, or runs/attn_nlp.sqlite.
      name: the name of the experiment in the store; by default that of the script, or "experiment"
        in a notebook. An experiment file always has its own name.
      workers: number of worker processes; by default one per core.
      in_process: train in this process, one cell after another; the results are identical.
      only: values of axes to keep, `{"heads": [1, 4]}` or `["heads=1,4"]`.
      retry_failed: train failed cells again.
      progress: "auto" for a bar in a terminal or a notebook and nothing elsewhere; True or False.

    Returns:
      The results of the experiment, read from the store.

    Raises:
      UserError: an argument or the experiment is invalid; the message is one sentence.
      StoreError: the store cannot be used.
      KeyboardInterrupt: on Ctrl-C; finished cells are stored.
    """
    from attn_nlp.runner.preflight import check_store, check_workers, code_warnings
    from attn_nlp.runner.run import run as train
    from attn_nlp.store.results import Store

    if current() is not None:
        raise UserError(
            'run(...) is called outside of `if __name__ == "__main__":`; move it below that line, '
            "since a run reads the file again to find its experiment."
        )
    show = chosen(progress)
    check_workers(workers, in_process)
    resolved, file = _resolved(experiment, name, _overrides(only))
    path = path_of(store)
    check_store(path, resolved)
    with Store.open(path) as opened:
        for sentence in code_warnings(opened, resolved):
            wording.warn(sentence)
        summary = train(
            resolved,
            opened,
            file=file,
            workers=workers,
            in_process=in_process,
            retry_failed=retry_failed,
            progress=show,
            ends=not is_interactive(),
        )
    if summary.signal == signal.SIGINT:
        raise KeyboardInterrupt
    if summary.signal:
        raise SystemExit(summary.status)
    return Results(resolved, path)


def _overrides(only: Mapping[str, object] | Sequence[str]) -> Overrides:
    if isinstance(only, str):
        only = [only]
    elif isinstance(only, Mapping):
        only = [f"{path}={','.join(map(_text, _several(value)))}" for path, value in only.items()]
    if not isinstance(only, Sequence) or not all(isinstance(value, str) for value in only):
        raise UserError(f'only is {shown(only)}; give {{"heads": [1, 4]}} or ["heads=1,4"].')
    return Overrides(only=tuple(only))


def _several(value: object) -> Iterable[object]:
    if isinstance(value, Iterable) and not isinstance(value, str | bytes | Mapping):
        return value
    return [value]


def _text(value: object) -> str:
    """Write a value as the command line takes it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _resolved(
    experiment: Experiment | str | Path, name: str | None, overrides: Overrides
) -> tuple[Resolved, Path | None]:
    """Return the resolved experiment, and the file from which workers load its parts."""
    if isinstance(experiment, str | os.PathLike):
        if name is not None:
            raise UserError(
                f"name is {name!r}, but an experiment file is named after the file; leave it out."
            )
        return _of_file(Path(experiment), overrides)
    if not isinstance(experiment, Experiment):
        raise UserError(
            f"run was given {type(experiment).__name__}; give an Experiment(...) or the path of a "
            "file that defines one."
        )
    script = _script()
    partial = overrides != Overrides()
    called = name or (script.stem if script else "experiment")
    if not isinstance(called, str) or not is_utf8(called):
        raise UserError(f"name is {shown(called)}, which is no text that can be written.")
    resolved = apply(experiment, overrides).resolve(called, _question(), partial=partial)
    own = list(dict.fromkeys(_own(resolved)))
    if not own:
        return resolved, None
    main = sys.modules.get("__main__")
    if script and script.suffix == ".py" and getattr(main, "experiment", None) is experiment:
        return _of_file(script, overrides)
    raise UserError(
        f"this experiment uses {', '.join(own)}, which no file defines, so its code cannot "
        "identify results. Write the part and `experiment = Experiment(...)` into a file (in a "
        'notebook by %%writefile my_idea.py) and give its path: run("my_idea.py").'
    )


def _of_file(path: Path, overrides: Overrides) -> tuple[Resolved, Path]:
    from attn_nlp.runner.paths import put_last

    if path == _script():
        put_last(str(path))  # its imports are done; no library may import its neighbors
    return resolve_file(path, overrides), path


def _script() -> Path | None:
    """Return the script that Python runs, or None in a notebook and at the prompt."""
    file = getattr(sys.modules.get("__main__"), "__file__", None)
    is_file = bool(file) and not str(file).startswith("<")  # "<stdin>" of `python -`
    return Path(file) if file and is_file and not is_interactive() else None


def _question() -> str:
    import inspect

    return inspect.cleandoc(getattr(sys.modules.get("__main__"), "__doc__", None) or "")


def _own(resolved: Resolved) -> Iterator[str]:
    """Name the user's own parts that the cells use, without those of installed packages."""
    mine = {part.place for part in registry.parts() if part.own_code and not _comes_along(part)}
    if not mine:
        return
    seen: set[tuple] = set()
    for cell in resolved.runnable:
        alike = tuple((path, value) for path, value in cell["settings"].items() if path != "seed")
        if alike in seen:
            continue
        seen.add(alike)
        for choice in unflatten(cell["settings"]).choices.values():
            for part in choice.family():
                if part.place in mine:
                    yield f"your {part.slot} {part.name!r}"


def _comes_along(part: registry.Part) -> bool:
    return part.own_code is not None and part.own_code.installed
