"""The entry point: commands by name, and how errors are reported."""

from __future__ import annotations

import errno
import os
import sys
import threading
from collections.abc import Collection, Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType

import click

from attn_nlp import wording
from attn_nlp.cli import streams
from attn_nlp.cli.compare import diff
from attn_nlp.cli.completion import completion
from attn_nlp.cli.experiments import plan, run, status
from attn_nlp.cli.figures import figure
from attn_nlp.cli.listings import datasets, parts
from attn_nlp.cli.new import new
from attn_nlp.cli.options import check_homes
from attn_nlp.cli.report import report
from attn_nlp.cli.stores import doctor, export, merge, pack
from attn_nlp.cli.tables import table
from attn_nlp.cli.watch import watch
from attn_nlp.errors import UserError
from attn_nlp.library_code import VERSION
from attn_nlp.variables import blamed, unknown

USER_ERROR, STORE, INTERRUPTED = 2, 4, 130
UNREAD = 141  # the status in a shell if the reader of a pipe has closed it
_DEBUG = "--debug"
_IDLE = ("concurrent.futures.thread", "_worker")
# OS-level errors at the limits on files, processes, and memory.
_LIMITS = (errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.ENOMEM)
# Messages of the dynamic linker in that case.
_NO_ROOM = ("failed to map segment from shared object", "cannot allocate memory", "Cannot allocate")
# OS-level disk errors, not bugs.
_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(VERSION, prog_name="attn-nlp")
@click.option(
    _DEBUG,
    is_flag=True,
    expose_value=False,
    help="Show tracebacks of errors; same as ATTN_NLP_DEBUG=1.",
)
def commands() -> None:
    """Run attention ablations on text classification and print tables of the results.

    \b
    Examples:
      attn-nlp new my_idea.py                   an experiment to start from
      attn-nlp plan my_idea.py                  what a run would train, and for how long
      attn-nlp run my_idea.py                   train missing cells and print the tables
      attn-nlp table my_idea.py                 print the tables from stored results
      attn-nlp report my_idea.py                write a single-page HTML report
      attn-nlp COMMAND --help                   options and examples for a command
    """


for _command in (
    *(new, plan, run, status, watch, table, report, figure),
    *(parts, datasets),
    *(doctor, export, merge, pack, diff),
    completion,
):
    commands.add_command(_command)

_unguarded: list[str] = []  # files that call `run_file` while they are read


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command that the arguments name, and return its exit status.

    With `--debug` anywhere among them, a user error shows its traceback instead of one line.

    Args:
      argv: the arguments; by default those of the process.
    """
    given = list(sys.argv[1:] if argv is None else argv)
    end = given.index("--") if "--" in given else len(given)
    debug = _DEBUG in given[:end] or os.environ.get("ATTN_NLP_DEBUG", "0") not in ("", "0")
    given = [argument for argument in given[:end] if argument != _DEBUG] + given[end:]
    streams.prepare()
    before = {*threading.enumerate()}
    try:
        for warning in unknown(os.environ):
            wording.warn(warning)
        if sys.flags.optimize > 1:
            wording.warn("Python runs without docstrings (-OO), so parts say less than they could.")
        return _status(given, debug)
    finally:
        _tell_of_threads(before)
        streams.settle()


def _status(given: list[str], debug: bool) -> int:
    printed = sys.stdout
    try:
        check_homes()
        result = commands.main(given, "attn-nlp", standalone_mode=False, obj=given)
    except click.exceptions.NoArgsIsHelpError as error:
        wording.tell(sys.stderr, error.format_message())
        return USER_ERROR
    except (click.Abort, KeyboardInterrupt):
        return _say("interrupted.", INTERRUPTED)
    except wording.Unread:
        return UNREAD
    except SystemExit:
        if sys.stdout is printed:
            raise
        sys.stdout = printed  # click replaces it when nobody reads the help that it prints
        return UNREAD
    except Exception as error:
        told = _told(error)
        if told is None:
            sys.excepthook = streams.print_fault
            raise
        if not debug:
            return _say(*told)
        streams.print_fault(type(error), error, error.__traceback__)
        return told[1]
    return result if isinstance(result, int) else 0


def _told(error: Exception) -> tuple[str, int] | None:
    """Return the message of an error and the exit status, or None for an internal error."""
    if isinstance(error, click.ClickException):
        return error.format_message(), USER_ERROR
    if isinstance(error, UserError):
        return str(error), USER_ERROR
    limit = _limit(error)
    if limit:
        return f"{limit}; raise the limits of this shell (ulimit -a).", USER_ERROR
    if isinstance(error, FileNotFoundError) and error.filename is None and not _has_folder():
        sentence = "the working directory was deleted; change to one that exists and try again."
        return sentence, USER_ERROR
    of_variable = blamed(error, os.environ)
    if of_variable:
        return of_variable, USER_ERROR
    # Imported late: most commands never touch a store.
    from attn_nlp.store import StoreError

    if isinstance(error, StoreError):
        return str(error), STORE
    if isinstance(error, OSError) and (
        isinstance(error, wording.Unwritable) or error.errno in _DISK
    ):
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror}; everything stored before is intact.", STORE
    return None


def _tell_of_threads(before: Collection[threading.Thread]) -> None:
    """Report the threads of user code that the process waits for before it ends."""
    frames = sys._current_frames()
    names = [
        thread.name
        for thread in threading.enumerate()
        if not (
            thread.daemon or thread in before or _is_idle(thread, frames.get(thread.ident or 0))
        )
    ]
    if names:
        what = "1 thread" if len(names) == 1 else f"{len(names)} threads"
        wording.warn(f"waiting for {what} that your parts started: {', '.join(names)}.")


def _is_idle(thread: threading.Thread, frame: FrameType | None) -> bool:
    """Tell whether a thread belongs to a pool without work, which ends with the process."""
    if frame is None or not getattr(thread, "pending_work_items", True):
        return True
    return (frame.f_globals["__name__"], frame.f_code.co_name) == _IDLE


def _has_folder() -> bool:
    try:
        os.getcwd()
    except FileNotFoundError:
        return False
    return True


def run_file(path: str, argv: Sequence[str] | None = None) -> int:
    """Run `attn-nlp run PATH` with the given options, and return its exit status.

    An experiment file that ends with

        if __name__ == "__main__":
            raise SystemExit(run_file(__file__))

    is a command itself.

    Args:
      path: the experiment file.
      argv: the options; by default those of the process.

    Raises:
      UserError: an experiment file calls it outside of that `if`, while a run reads the file.
      SystemExit: the same, in the script itself, which may not pass on the status.
    """
    from attn_nlp.runner.paths import put_last
    from attn_nlp.user_code.loading import current

    if current() is not None:
        _unguarded.append(path)
        raise UserError(
            'run_file is called outside of `if __name__ == "__main__":`; move it below that line, '
            "since a run reads the file again to find its experiment."
        )
    _unguarded.clear()
    put_last(path)  # imports are done; now libraries cannot import files next to it
    shown = Path(path)
    with suppress(ValueError, FileNotFoundError):  # elsewhere, or there is no working directory
        shown = shown.relative_to(Path.cwd())
    status = main(["run", str(shown), *(sys.argv[1:] if argv is None else argv)])
    if _unguarded:
        raise SystemExit(status)
    return status


def _limit(error: BaseException | None) -> str | None:
    """Return the limit of the operating system behind an error or one of its causes, or None."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in _LIMITS:
            return error.strerror
        if isinstance(error, RuntimeError) and "start new thread" in str(error):
            return str(error)
        if isinstance(error, MemoryError) or _unmapped(error):
            return os.strerror(errno.ENOMEM)
        error = error.__cause__ or error.__context__
    return None


def _unmapped(error: BaseException) -> bool:
    """Tell whether a library of machine code could not be loaded for lack of memory."""
    said = str(error) if isinstance(error, ImportError | OSError) else ""
    forbidden = "not permitted" in said  # on a disk whose files may not be executed
    return not forbidden and any(message in said for message in _NO_ROOM)


def _say(message: str, status: int) -> int:
    wording.warn(" ".join(message.split()))
    return status
