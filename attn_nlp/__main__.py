"""`python -m attn_nlp` is the command line."""

import sys

if __name__ == "__main__":
    if not sys.flags.safe_path:
        del sys.path[0]  # the working directory, whose files are no modules of ours
    from attn_nlp.cli import main

    raise SystemExit(main())
