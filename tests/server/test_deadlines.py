"""Deadlines: what expires when, whatever was added and removed before."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from homeport.server.deadlines import Deadlines


def test_nothing_expires_early_and_all_within_a_quarter_of_a_second() -> None:
    deadlines: Deadlines[str] = Deadlines()
    deadlines.add("one", 10.0)
    deadlines.add("two", 10.2)
    deadlines.add("three", 99.0)
    assert deadlines.expired(9.99) == []
    assert deadlines.expired(10.0) == []
    assert deadlines.expired(10.45) == ["one", "two"]
    assert deadlines.expired(10.45) == []
    assert deadlines.earliest() == 99.25


def test_what_is_removed_leaves_nothing_behind() -> None:
    deadlines: Deadlines[str] = Deadlines()
    buckets = [deadlines.add(str(number), 300.0 + number) for number in range(100)]
    for number, bucket in enumerate(buckets):
        deadlines.remove(str(number), bucket)
    assert deadlines.earliest() is None
    assert deadlines.expired(1000.0) == []
    assert not deadlines._buckets
    assert not deadlines._order


@given(st.lists(st.tuples(st.floats(0, 50), st.booleans()), max_size=60), st.lists(st.floats(0, 60), max_size=10))
def test_against_a_plain_list(things: list[tuple[float, bool]], looks: list[float]) -> None:
    deadlines: Deadlines[int] = Deadlines()
    left = {}
    for number, (when, removed) in enumerate(things):
        bucket = deadlines.add(number, when)
        if removed:
            deadlines.remove(number, bucket)
        else:
            left[number] = when
    for now in sorted(looks):
        earliest = deadlines.earliest()
        if left:
            assert earliest is not None
            assert min(left.values()) < earliest <= min(left.values()) + 0.25
        else:
            assert earliest is None
        for number in deadlines.expired(now):
            assert left.pop(number) <= now
        assert all(when > now - 0.25 for when in left.values())
