"""Run the command line, as `attn-nlp` or with `python -m attn_nlp`."""

import sys


def main() -> int:
    """Run the command line; Ctrl-C ends it cleanly even while it is being imported."""
    try:
        from attn_nlp.cli import main as run

        return run()
    except KeyboardInterrupt:
        from attn_nlp.wording import warn

        warn("interrupted.")
        return 130


if __name__ == "__main__":
    if not sys.flags.safe_path:
        del sys.path[0]  # the working directory, from which nothing should be imported
    raise SystemExit(main())
