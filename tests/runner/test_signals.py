"""The signals that a run handles."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from attn_nlp.runner.job import Stopped
from attn_nlp.runner.signals import Interrupt


def test_the_end_of_a_child_is_known_to_a_parent_that_ignores_it():
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


@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGUSR2, signal.SIGXCPU])
def test_what_a_batch_system_sends_before_a_limit_stops_in_order(number):
    with Interrupt() as interrupt:
        signal.raise_signal(number)
        with pytest.raises(Stopped):
            interrupt.check()
    assert signal.getsignal(number) == signal.SIG_DFL


def test_a_signal_that_the_user_has_other_plans_for_stops_nothing():
    heard = []
    before = signal.signal(signal.SIGUSR1, lambda number, _: heard.append(number))
    try:
        with Interrupt() as interrupt:
            interrupt.idle = True
            signal.raise_signal(signal.SIGUSR1)
            signal.raise_signal(signal.SIGUSR1)
            interrupt.check()
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert heard == [signal.SIGUSR1] * 2


@pytest.mark.parametrize("again", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_that_arrives_twice_is_one_request(again):
    """`timeout` ends a command so; another signal ends it at once."""
    code = (
        "import signal, sys, time\n"
        "from attn_nlp.runner.signals import Interrupt\n"
        "with Interrupt() as interrupt:\n"
        "    signal.raise_signal(signal.SIGTERM)\n"
        f"    signal.raise_signal({int(again)})\n"
        "    time.sleep(0.1)\n"
        "print('in order', interrupt.number)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    ordered = again == signal.SIGTERM
    assert done.returncode == (0 if ordered else 128 + again)
    assert done.stdout == ("in order 15\n" if ordered else "")
