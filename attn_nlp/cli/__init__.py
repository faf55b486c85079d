"""The command line. What a user did wrong is one line and a status; nothing heavy is imported here.

Exit status: 0 all is done; 1 a fault in the code, with its traceback; 2 a user error;
3 finished with failed or diverged cells; 4 the store cannot be used, or the disk for the output;
128 + the signal that ended the run; so 141 where nobody reads what is printed.
"""

from attn_nlp.cli.main import main, run_file

__all__ = ["main", "run_file"]
