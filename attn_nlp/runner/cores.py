"""The processor cores of this process: which it may use, how many, and how to stay on some."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


def allowed_cores() -> list[int]:
    """Return the numbers of the cores that this process may use, ascending."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def usable() -> int:
    """Return how many cores' worth of time this process gets, by affinity and control group."""
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        granted = max(1, int(quota) // int(period))
    except (OSError, ValueError):  # no control group, or "max"
        granted = len(allowed_cores())
    return min(granted, len(allowed_cores()))


def pin(*cores: int) -> None:
    """Keep this thread, and the threads that it starts, on these cores if the system can."""
    if hasattr(os, "sched_setaffinity"):
        with suppress(OSError):
            os.sched_setaffinity(0, cores)
