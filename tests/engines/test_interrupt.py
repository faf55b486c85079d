"""What a run hears of signals."""

from __future__ import annotations

import signal
import subprocess
import sys

from attn_nlp.engines.interrupt import Interrupt


def test_how_a_child_ends_is_told_where_the_parent_wants_no_word():
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        with Interrupt():
            assert subprocess.run([sys.executable, "-Sc", "raise SystemExit(3)"]).returncode == 3
        assert signal.getsignal(signal.SIGCHLD) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGCHLD, before)


def test_a_closed_terminal_stops_no_run_that_nohup_started():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Interrupt() as interrupt:
            signal.raise_signal(signal.SIGHUP)
            interrupt.check()
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
