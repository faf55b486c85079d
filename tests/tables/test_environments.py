"""Where cells ran: what they share, what sets them apart."""

from __future__ import annotations

from attn_nlp.tables.caption.environments import environments, grouped


def record(jax: str, finished: str, seconds: float | None = 1.5, **more) -> dict:
    return {
        "provenance": {"jax": jax, "device": "cpu", "flags": "", "gone": None, **more},
        "finished_at": finished,
        "wall_seconds": seconds,
    }


def test_one_environment_has_nothing_that_sets_cells_apart():
    found = environments([record("0.10", "b"), record("0.10", "a")])
    assert not found.mixed
    assert found.shared == (("device", "cpu"), ("jax", "0.10"))
    assert found.groups == ((2, ()),)
    assert (found.first, found.last, found.seconds) == ("a", "b", 3.0)


def test_mixed_environments_are_told_by_what_differs_the_largest_group_first():
    found = environments(
        [
            record("0.10", "1"),
            record("0.9", "2", None, versions={"threads": 2}),
            record("0.10", "3"),
        ]
    )
    assert found.mixed
    assert found.shared == (("device", "cpu"),)
    assert found.groups == (
        (2, (("jax", "0.10"),)),
        (1, (("jax", "0.9"), ("threads", "2"))),
    )
    assert found.seconds == 3.0


def test_nothing_that_ran_has_no_environment():
    found = environments([])
    assert (found.groups, found.first, found.mixed) == ((), "", False)


def test_code_that_was_not_recorded_is_not_a_difference():
    old, new, other = ({"jax": "1"} | more for more in ({}, {"code": "a"}, {"code": "b"}))
    assert grouped([old, old, new]) == ((("code", "a"), ("jax", "1")), ((3, ()),))
    assert grouped([old, old]) == ((("jax", "1"),), ((2, ()),))
    _, groups = grouped([old, new, other, other])
    assert groups == ((3, (("code", "b"),)), (1, (("code", "a"),)))
    _, groups = grouped([old, new, {"jax": "2"}])
    assert groups == ((2, (("code", "a"), ("jax", "1"))), (1, (("jax", "2"),)))
