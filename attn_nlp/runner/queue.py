"""Which cell a worker takes next: few programs compiled, the longest first, no seed far ahead.

Compiling costs as much as hundreds of steps, so a worker prefers what it has compiled. It stays
within the lowest seed that is not finished, and goes at most one seed ahead, so that every row of
a table has n runs before any has many more.

Among programs that it may choose from, it takes the one with the most work left. The first seed
deals them out evenly in this way, and what is left at the end is short and anyone's (the rule
"longest processing time first": at most 4/3 of the best time where no job waits for another).

References:
  Graham, "Bounds on Multiprocessing Timing Anomalies", 1969.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from attn_nlp.runner.job import Job


class Queue:
    """The jobs that wait, by round and program; equally long ones in the order given."""

    def __init__(self, jobs: Iterable[Job]) -> None:
        self._rounds: dict[int, dict[str, list[Job]]] = {}
        for job in jobs:
            self._rounds.setdefault(job.round, {}).setdefault(job.program, []).append(job)

    def __bool__(self) -> bool:
        return bool(self._rounds)

    def back(self, job: Job) -> None:
        """Put a job first again."""
        programs = self._rounds.setdefault(job.round, {})
        jobs = [job, *programs.pop(job.program, [])]
        self._rounds[job.round] = {job.program: jobs, **programs}

    def next(self, own: Collection[str], taken: Collection[str]) -> Job | None:
        """Take the best job for a worker out of the queue; None where nothing waits.

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
        place, programs = next(choice for choice in choices if choice[1])
        return self._take(place, max(programs, key=lambda name: _left(self._rounds[place][name])))

    def _take(self, place: int, program: str) -> Job:
        programs = self._rounds[place]
        job = programs[program].pop(0)
        if not programs[program]:
            del programs[program]
        if not programs:
            del self._rounds[place]
        return job


def _left(jobs: list[Job]) -> float:
    """Seconds of a program's jobs, which are all alike."""
    return len(jobs) * jobs[0].seconds
