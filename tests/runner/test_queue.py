"""The order in which workers take cells."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from attn_nlp.runner.job import Job
from attn_nlp.runner.queue import Queue


def jobs(programs: str, seeds: int, seconds: dict[str, float] | None = None) -> list[Job]:
    return [
        Job(f"{program}{seed}", {}, "", program, seed, (seconds or {}).get(program, 0.0))
        for seed in range(seeds)
        for program in programs
    ]


def take(queue: Queue, own: set[str], taken: set[str]) -> str:
    job = queue.next(own, taken)
    assert job is not None
    own.add(job.program)
    taken |= own
    return job.spec


def test_one_worker_keeps_the_order_given():
    queue, own = Queue(jobs("abc", 2)), set()
    assert [take(queue, own, own) for _ in range(6)] == ["a0", "b0", "c0", "a1", "b1", "c1"]
    assert not queue
    assert queue.next(own, own) is None


def test_two_workers_split_the_programs_and_keep_them():
    queue, first, second = Queue(jobs("abcd", 3)), set(), set()
    taken = []
    for _ in range(6):
        taken.append((take(queue, first, first | second), take(queue, second, first | second)))
    assert taken == [
        ("a0", "b0"),
        ("c0", "d0"),
        ("a1", "b1"),
        ("c1", "d1"),
        ("a2", "b2"),
        ("c2", "d2"),
    ]
    assert first == {"a", "c"}
    assert second == {"b", "d"}


def test_nobody_runs_more_than_one_seed_ahead():
    queue, slow, fast = Queue(jobs("abc", 4)), set(), set()
    assert take(queue, slow, slow | fast) == "a0"
    order = [take(queue, fast, slow | fast) for _ in range(8)]
    # Its own programs one seed ahead, then the other worker's rather than a third seed.
    assert order == ["b0", "c0", "b1", "c1", "b2", "c2", "a1", "a2"]


def test_a_job_put_back_comes_first():
    queue = Queue(jobs("ab", 2))
    job = queue.next((), ())
    assert job is not None
    queue.back(job)
    assert queue.next((), ()) == job


def test_every_job_is_taken_once():
    queue, own = Queue(jobs("abcde", 7)), [set(), set(), set()]
    seen = []
    while queue:
        worker = own[len(seen) % 3]
        seen.append(take(queue, worker, set().union(*own)))
    assert sorted(seen) == sorted(job.spec for job in jobs("abcde", 7))


def test_the_longest_program_comes_first_by_all_that_is_left_of_it():
    seconds = {"a": 1.0, "b": 3.0, "c": 2.0, "d": 3.0}
    queue, own = Queue([*jobs("abcd", 1, seconds), *jobs("c", 1, seconds)]), set()
    order = [take(queue, own, own) for _ in range(5)]
    assert order == ["c0", "c0", "b0", "d0", "a0"]  # equally long ones as given


def finish(given: list[Job], workers: int) -> float:
    """When the last worker is done, were every job to take what is predicted."""
    queue, free = Queue(given), [0.0] * workers
    own: list[set[str]] = [set() for _ in free]
    while queue:
        worker = free.index(min(free))
        job = queue.next(own[worker], set().union(*own))
        assert job is not None
        own[worker].add(job.program)
        free[worker] += job.seconds
    return max(free)


@given(st.lists(st.integers(1, 60), min_size=1, max_size=9), st.integers(1, 4), st.integers(1, 3))
def test_workers_end_together(lengths, seeds, workers):
    """No worker idles for longer than the longest job: Graham's bound for any list of jobs."""
    names = "abcdefghi"[: len(lengths)]
    given = jobs(names, seeds, dict(zip(names, map(float, lengths), strict=True)))
    total, longest = float(sum(lengths) * seeds), float(max(lengths))
    assert finish(given, workers) <= total / workers + longest * (1 - 1 / workers) + 1e-9


def test_a_long_program_given_last_does_not_come_last():
    assert finish(jobs("abcdz", 1, dict.fromkeys("abcd", 10.0) | {"z": 40.0}), 2) == 40.0
    assert finish(jobs("abcdz", 3, dict.fromkeys("abcd", 10.0) | {"z": 40.0}), 2) == 120.0


def test_what_is_left_at_the_end_is_shared():
    """A program with many cells is its owner's until the other worker has nothing else."""
    given = [*jobs("a", 1, {"a": 10.0}), *[Job(f"b{n}", {}, "", "b", 0, 10.0) for n in range(5)]]
    assert finish(given, 2) == 30.0
