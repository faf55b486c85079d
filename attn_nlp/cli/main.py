"""The entry point: commands by name, and what becomes of errors."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import click

from attn_nlp import __version__
from attn_nlp.cli.compare import diff
from attn_nlp.cli.experiments import plan, run, status
from attn_nlp.cli.figures import figure
from attn_nlp.cli.listings import datasets, parts
from attn_nlp.cli.report import report
from attn_nlp.cli.stores import doctor, export, merge, seal
from attn_nlp.cli.tables import table
from attn_nlp.cli.watch import watch
from attn_nlp.mistakes import Mistake
from attn_nlp.variables import unknown

MISTAKE, STORE, INTERRUPTED = 2, 4, 130
# What the system says where it gives no more files, processes or memory.
_LIMITS = (errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.ENOMEM)
# What the system says of a disk, which is no fault of the code.
_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="attn-nlp")
def commands() -> None:
    """Ablations of attention on sentence classification.

    \b
    Examples:
      attn-nlp plan experiments/scaling.py      what a run would cost
      attn-nlp run experiments/scaling.py       train what is missing, print the tables
      attn-nlp table experiments/scaling.py     the tables, from stored results alone
      attn-nlp report experiments/scaling.py    all about it, in one file for a browser
    """


for _command in (
    *(plan, run, status, watch, table, report, figure),
    *(parts, datasets),
    *(doctor, export, merge, seal, diff),
):
    commands.add_command(_command)


def main(argv: Sequence[str] | None = None) -> int:
    """Do what the arguments say, by default those of the process; the exit status."""
    given = list(sys.argv[1:] if argv is None else argv)
    for warning in unknown(os.environ):
        _say(warning, 0)
    try:
        result = commands.main(given, "attn-nlp", standalone_mode=False, obj=given)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return MISTAKE
    except click.ClickException as error:
        return _say(error.format_message(), MISTAKE)
    except Mistake as error:
        return _say(str(error), MISTAKE)
    except (click.Abort, KeyboardInterrupt):
        return _say("interrupted.", INTERRUPTED)
    except Exception as error:
        limit = _limit(error)
        if limit:
            return _say(f"{limit}; raise the limits of this shell (ulimit -a).", MISTAKE)
        # Imported late: most commands never touch a store.
        from attn_nlp.store import StoreError

        if isinstance(error, StoreError):
            return _say(str(error), STORE)
        if isinstance(error, OSError) and error.errno in _DISK:
            where = f"{error.filename}: " if error.filename else ""
            return _say(f"{where}{error.strerror}; what was stored before is intact.", STORE)
        raise
    return result if isinstance(result, int) else 0


def run_file(path: str, argv: Sequence[str] | None = None) -> int:
    """`attn-nlp run PATH` with the options given, by default those of the process.

    An experiment file that ends with

        if __name__ == "__main__":
            raise SystemExit(run_file(__file__))

    is a command of its own.
    """
    from attn_nlp.engines.paths import put_last

    put_last(path)  # what the file imports it has; no library is to meet its neighbors
    shown = Path(path)
    with suppress(ValueError, FileNotFoundError):  # elsewhere, or the working directory is gone
        shown = shown.relative_to(Path.cwd())
    return main(["run", str(shown), *(sys.argv[1:] if argv is None else argv)])


def _limit(error: BaseException | None) -> str | None:
    """What the system has no more of, where that is the error, or the cause of it."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in _LIMITS:
            return error.strerror
        if isinstance(error, RuntimeError) and "start new thread" in str(error):
            return str(error)
        error = error.__cause__ or error.__context__
    return None


def _say(message: str, status: int) -> int:
    click.echo("attn-nlp: " + " ".join(message.split()), err=True)
    return status
