"""The command line. A user error is one line and an exit status; nothing heavy is imported here.

Exit status: 0 everything is done; 1 a fault in the code, with its traceback; 2 a user error;
3 finished with failed or diverged cells; 4 the store, or the disk for the output, cannot be used;
128 + the signal that ended the run, so 141 if the reader of a pipe has closed it.
"""

from attn_nlp.cli.main import main, run_file

__all__ = ["main", "run_file"]
