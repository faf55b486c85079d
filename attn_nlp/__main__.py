"""Run the command line with `python -m attn_nlp`."""

import sys

if __name__ == "__main__":
    if not sys.flags.safe_path:
        del sys.path[0]  # the working directory, from which nothing should be imported
    from attn_nlp.cli import main

    raise SystemExit(main())
