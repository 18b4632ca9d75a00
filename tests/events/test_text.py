"""Names and amounts in words."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeport.events.text import duration, endpoint, ranges, rate, size, visible

names = st.one_of(
    st.text(),
    st.binary().map(lambda octets: octets.decode("utf-8", "surrogateescape")),
    st.text("\\x\x1b\r\n\u202e\udc9b"),
)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("/plain name", "/plain name"),
        ("/größe/文件", "/größe/文件"),
        ("/a\nb\rc", r"/a\x0ab\x0dc"),
        ("/\x1b[2Jgone", r"/\x1b[2Jgone"),
        ("/\x9b31m", r"/\x9b31m"),
        ("/\udce9t\udce9", r"/\xe9t\xe9"),
        ("/a\\x1b", r"/a\\x1b"),
        ("/fdp\u202egpj.exe", r"/fdp\u202egpj.exe"),
        ("/\u2028line", r"/\u2028line"),
        ("/\U000e0041tag", r"/\U000e0041tag"),
        ("/tab\there", r"/tab\x09here"),
    ],
)
def test_what_does_not_print_becomes_an_escape(name: str, shown: str) -> None:
    assert visible(name) == shown


@given(names)
def test_nothing_in_a_visible_name_moves_a_cursor_or_ends_a_line(name: str) -> None:
    shown = visible(name)
    assert shown.isprintable()
    assert not any(unicodedata.category(one) in {"Cc", "Cf", "Cs", "Zl", "Zp"} for one in shown)
    shown.encode("utf-8")


@given(names, names)
def test_different_names_look_different(one: str, other: str) -> None:
    assert (visible(one) == visible(other)) == (one == other)


@pytest.mark.parametrize(
    ("octets", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.00 kB"),
        (1024, "1.02 kB"),
        (99_949, "99.9 kB"),
        (999_499, "999 kB"),
        (999_500, "1.00 MB"),
        (53_687_091, "53.7 MB"),
        (2**40, "1.10 TB"),
        (10**18, "1.00 EB"),
        (5 * 10**21, "5000 EB"),
    ],
)
def test_sizes(octets: int, text: str) -> None:
    assert size(octets) == text


@given(st.integers(0, 10**20))
def test_a_size_never_shows_four_digits_where_a_greater_unit_exists(octets: int) -> None:
    number = size(octets).split()[0]
    assert len(number) <= 4


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-0.5, "under 1 ms"),
        (0.00005, "under 1 ms"),
        (0.0006, "1 ms"),
        (0.0031, "3 ms"),
        (0.0996, "0.10 s"),
        (0.31, "0.31 s"),
        (9.996, "10.0 s"),
        (59.96, "1 min 0 s"),
        (125.4, "2 min 5 s"),
        (3599.6, "1 h 0 min"),
        (3725, "1 h 2 min"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_a_rate_is_given_only_where_it_means_something() -> None:
    assert rate(10_000_000, 2.0) == "5.00 MB/s"
    assert rate(10, 0.001) is None
    assert rate(10_000, 0.0) is None


def test_an_address_with_its_port() -> None:
    assert endpoint("192.0.2.7", 21) == "192.0.2.7:21"
    assert endpoint("2001:db8::7", 21) == "[2001:db8::7]:21"


@pytest.mark.parametrize(
    ("ports", "text"),
    [
        ((), ""),
        ((21,), "21"),
        ((50002, 50000, 50001), "50000-50002"),
        ((21, 50000, 50001), "21, 50000-50001"),
        ((5, 5), "5"),
        (tuple(range(1, 25, 2)), "1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23"),
        (tuple(range(1, 1001, 2)), "1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, ... 999 (500 ports)"),
    ],
)
def test_runs_of_ports_are_drawn_together(ports: tuple[int, ...], text: str) -> None:
    assert ranges(ports) == text
