"""Choose the next cell for a worker: few compilations, long cells first, no seed far ahead.

Compiling costs as much as hundreds of steps, so a worker prefers programs that it has compiled. It
stays within the lowest unfinished seed, or at most one seed ahead, so that every row of a table has
n runs before any has many more.

Among the programs that it may choose from, it takes the one with the most work left. In this way
the first seed deals out the programs evenly, and short cells, which any worker can take, are left
for the end (the rule "longest processing time first": at most 4/3 of the shortest possible time if
no job waits for another).

References:
  Graham, "Bounds on Multiprocessing Timing Anomalies", 1969.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from attn_nlp.runner.job import Job


class Queue:
    """The waiting jobs by round and program; jobs of equal length are in the given order."""

    def __init__(self, jobs: Iterable[Job]) -> None:
        self._rounds: dict[int, dict[str, list[Job]]] = {}
        for job in jobs:
            self._rounds.setdefault(job.round, {}).setdefault(job.program, []).append(job)

    def __bool__(self) -> bool:
        return bool(self._rounds)

    def back(self, job: Job) -> None:
        """Put a job back, ahead of all others of its round."""
        programs = self._rounds.setdefault(job.round, {})
        jobs = [job, *programs.pop(job.program, [])]
        self._rounds[job.round] = {job.program: jobs, **programs}

    def next(self, own: Collection[str], taken: Collection[str]) -> Job | None:
        """Remove and return the best job for a worker, or None if no job is waiting.

        Args:
          own: programs that the worker has compiled.
          taken: programs that any worker has compiled.
        """
        rounds = sorted(self._rounds)[:2]
        if not rounds:
            return None
        first = self._rounds[rounds[0]]
        ahead = self._rounds[rounds[-1]]
        choices = (
            (rounds[0], [program for program in first if program in own]),
            (rounds[0], [program for program in first if program not in taken]),
            (rounds[-1], [program for program in ahead if program in own]),
            (rounds[0], list(first)),
        )
        chosen, programs = next(choice for choice in choices if choice[1])
        return self._take(chosen, max(programs, key=lambda name: _left(self._rounds[chosen][name])))

    def _take(self, number: int, program: str) -> Job:
        programs = self._rounds[number]
        job = programs[program].pop(0)
        if not programs[program]:
            del programs[program]
        if not programs:
            del self._rounds[number]
        return job


def _left(jobs: list[Job]) -> float:
    """Return the seconds that the jobs of a program, which are all alike, are predicted to take."""
    return len(jobs) * jobs[0].seconds
