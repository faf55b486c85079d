"""Run an experiment from Python: a file, or an object of a script, a notebook or the prompt."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
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
from attn_nlp.user_code.loading import current


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
    """Train every cell that the store lacks, and return the results of all.

    The same run as that of `attn-nlp run`: cells that are stored are not trained again, and after
    an interruption the same call goes on where it stopped.

    Args:
      experiment: an `Experiment`, or the path of an experiment file. Parts of your own must stand
        in a file, since worker processes read them there, and results are identified by its code.
      store: the file with the results; by default $ATTN_NLP_STORE, or runs/attn_nlp.sqlite.
      name: what the store calls the experiment; by default the name of the file or the script, or
        "experiment" in a notebook. A file has its own.
      workers: processes; one a core by default.
      in_process: train here, one cell after another, with the same bits.
      only: points of axes to keep, `{"heads": [1, 4]}` or `["heads=1,4"]`.
      retry_failed: train failed cells again.
      progress: "auto" for a bar in a terminal or a notebook and nothing elsewhere; True or False.

    Raises:
      UserError: whatever does not hold together, in one sentence.
      StoreError: the store cannot be used.
      KeyboardInterrupt: at Ctrl-C; what was finished before is stored.
    """
    from attn_nlp.runner.preflight import check_store, check_workers, code_warnings
    from attn_nlp.runner.run import run as train
    from attn_nlp.store.results import Store

    if current() is not None:
        raise UserError(
            'run(...) stands outside of `if __name__ == "__main__":`; write it below that line, '
            "since a run reads the file once more to find its experiment."
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
    if isinstance(only, Mapping):
        only = [f"{path}={','.join(map(_text, _several(value)))}" for path, value in only.items()]
    return Overrides(only=tuple(only))


def _several(value: object) -> Sequence[object]:
    return value if isinstance(value, list | tuple | range) else [value]


def _text(value: object) -> str:
    """A value as the command line takes it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _resolved(
    experiment: Experiment | str | Path, name: str | None, overrides: Overrides
) -> tuple[Resolved, Path | None]:
    """The resolved experiment, and the file in which workers find its parts."""
    if isinstance(experiment, str | os.PathLike):
        if name is not None:
            raise UserError(
                f"name is {name!r}, but an experiment file is called as the file is; leave it out."
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
    resolved = apply(experiment, overrides).resolve(called, _question(), partial=partial)
    own = list(dict.fromkeys(_own(resolved)))
    if not own:
        return resolved, None
    main = sys.modules.get("__main__")
    if script and script.suffix == ".py" and getattr(main, "experiment", None) is experiment:
        return _of_file(script, overrides)
    raise UserError(
        f"this experiment uses {', '.join(own)}, of which neither worker processes nor the "
        "identity of results can know here; write the part and `experiment = Experiment(...)` "
        'into a file and give its path: run("my_idea.py").'
    )


def _of_file(path: Path, overrides: Overrides) -> tuple[Resolved, Path]:
    from attn_nlp.runner.paths import put_last

    if path == _script():
        put_last(str(path))  # what the file imports it has; no library is to meet its neighbors
    return resolve_file(path, overrides), path


def _script() -> Path | None:
    """The script that Python runs; None in a notebook and at the prompt."""
    file = getattr(sys.modules.get("__main__"), "__file__", None)
    return Path(file) if file and not is_interactive() else None


def _question() -> str:
    import inspect

    return inspect.cleandoc(getattr(sys.modules.get("__main__"), "__doc__", None) or "")


def _own(resolved: Resolved) -> Iterator[str]:
    """The parts of the user's own that the cells use, in words; not those of installed packages."""
    mine = {part.place for part in registry.parts() if part.own_code and not _comes_along(part)}
    if not mine:
        return
    seen: set[tuple] = set()
    for each in resolved.runnable:
        alike = tuple((path, value) for path, value in each["settings"].items() if path != "seed")
        if alike in seen:
            continue
        seen.add(alike)
        for choice in unflatten(each["settings"]).choices.values():
            for part in choice.family():
                if part.place in mine:
                    yield f"your {part.slot} {part.name!r}"


def _comes_along(part: registry.Part) -> bool:
    return part.own_code is not None and part.own_code.installed
