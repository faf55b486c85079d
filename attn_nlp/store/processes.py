"""Tell whether the process that claimed a cell still lives.

On one machine a process is its id and the time it began, so that neither a jump of the clock nor a
reused id confuses it. A process elsewhere, on another machine, in another container or before the
last start of this one, cannot be asked. It is told by its heartbeat: a number that it raises every
few seconds, watched over a time that this process measures itself. No wall clock is compared with
another.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Hashable
from contextlib import suppress
from pathlib import Path

BEAT_SECONDS = 5.0
GRACE_SECONDS = 60.0  # a heart that has not beaten for so long has stopped


def this_process() -> tuple[int, str, str]:
    """Id, start and place of the process that asks."""
    pid = os.getpid()
    return pid, _started(pid), _place()


def alive(pid: int, started: str, place: str) -> bool:
    """Return whether that very process runs on this machine now."""
    return place == _place() and runs_here(pid, started)


def runs_here(pid: int, started: str) -> bool:
    """Return whether a process of that id and start is among those that this one can see."""
    try:
        os.kill(pid, 0)  # signal 0 is delivered to nobody
    except ProcessLookupError:
        return False
    except OSError:
        pass  # it lives and belongs to someone else
    return started == _started(pid)


def elsewhere(place: str) -> bool:
    """Return whether a process of that machine and boot cannot be seen from here."""
    return place != _place()


class Watch:
    """Heartbeats seen over time; `clock` gives seconds that no one can set back."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seen: dict[Hashable, tuple[int, float]] = {}

    def beats(self, claim: Hashable, beat: int) -> bool:
        """Return whether a claim has had a heartbeat within the grace that this process has seen.

        A claim that is seen for the first time is given the whole grace.
        """
        now = self._clock()
        last, since = self._seen.get(claim, (None, now))
        if beat != last:
            self._seen[claim] = (beat, now)
            return True
        return now - since < GRACE_SECONDS


def _place() -> str:
    """The machine since it was started, and the world of process ids and of times within it."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        place = f"{boot} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return ""
    with suppress(OSError):  # an older system, where all have one time since boot
        place += f" {os.readlink('/proc/self/ns/time')}"
    return place


def _started(pid: int) -> str:
    """When a process began, in clock ticks since boot; "" if unavailable.

    "ended" for one that is a zombie (not yet reaped): its id is still taken.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return "ended" if fields[0] in "ZX" else fields[19]
    except (OSError, IndexError):
        return ""
