"""Machines, processes and a clock that only a test moves, in the place of the operating system.

The store asks the system who lives; here a test starts and ends processes by saying so, reuses
their ids, restarts a machine, and lets a minute pass without waiting.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from unittest.mock import patch

from attn_nlp.store import processes


@dataclass(frozen=True)
class Process:
    """A process of some machine; its place is the machine since it was started."""

    place: str
    pid: int
    started: str


class System:
    """Answers of `attn_nlp.store.processes` for the process that acts at the moment."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.living: list[Process] = []
        self._begun = self._boots = 0
        self._acting = self.start("nowhere")

    @contextmanager
    def installed(self) -> Iterator[None]:
        """The store asks this system while this is entered."""
        names = {"os": self, "_place": lambda: self._acting.place, "_started": self._started}
        with patch.multiple(processes, **names):
            yield

    def start(self, machine: str) -> Process:
        """A new process; it gets the lowest id that is free there."""
        taken = {each.pid for each in self.living if each.place.split()[0] == machine}
        pid = next(number for number in range(1, 99) if number not in taken)
        self._begun += 1
        process = Process(f"{machine} {self._boots}", pid, str(self._begun))
        self.living.append(process)
        return process

    def end(self, process: Process) -> None:
        """A process ends without a word."""
        self.living.remove(process)

    def restart(self) -> None:
        """All machines are switched off and on."""
        self.living.clear()
        self._boots += 1

    @contextmanager
    def acting(self, process: Process) -> Iterator[None]:
        """Run the body as that process."""
        before, self._acting = self._acting, process
        try:
            yield
        finally:
            self._acting = before

    def clock(self) -> float:
        """Seconds from anywhere."""
        return self.now

    # As the module `os` has them.

    def getpid(self) -> int:
        return self._acting.pid

    def kill(self, pid: int, _signal: int) -> None:
        if not self._started(pid):
            raise ProcessLookupError

    def _started(self, pid: int) -> str:
        found = [p for p in self.living if (p.place, p.pid) == (self._acting.place, pid)]
        return found[0].started if found else ""
