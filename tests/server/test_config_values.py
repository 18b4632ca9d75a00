"""The values of a configuration file: what is read, what is refused, and that writing and reading agree."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeport.accounts.model import READ_ONLY, READ_WRITE, Permission
from homeport.server.values.accounts import parse_access, parse_prefix
from homeport.server.values.addresses import (
    parse_address,
    parse_external,
    parse_host_name,
    parse_network,
    parse_stun_server,
    split_host_port,
)
from homeport.server.values.amounts import LONGEST, parse_duration, parse_size, write_duration, write_size
from homeport.server.values.ports import (
    MOST_PASSIVE_PORTS,
    parse_active_port,
    parse_outside_ports,
    parse_port,
    parse_ports,
    write_ports,
)
from homeport.server.values.text import OptionError, quote


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (90, 90.0),
        (0.5, 0.5),
        ("90 s", 90.0),
        ("90s", 90.0),
        ("1 min", 60.0),
        ("5m", 300.0),
        ("1.5 Hours", 5400.0),
        ("1 h 30 min", 5400.0),
        ("1h30m", 5400.0),
        ("250 ms", 0.25),
        ("7 days", LONGEST),
        (" 2 d ", 172800.0),
    ],
)
def test_durations(value: object, seconds: float) -> None:
    assert parse_duration(value) == seconds


@pytest.mark.parametrize(
    "value",
    [
        0,
        -1,
        "0 s",
        "",
        "s",
        "90",
        "1 min 30",
        "-5 s",
        "1,5 s",
        "5 s!",
        "8 d",
        True,
        None,
        [5],
        float("inf"),
        float("nan"),
        "1 ſ",
        "٣ s",
    ],
)
def test_what_is_no_duration(value: object) -> None:
    with pytest.raises(OptionError):
        parse_duration(value)


def test_a_unit_that_is_nearly_one() -> None:
    with pytest.raises(OptionError, match=r'"minuts" is no unit') as caught:
        parse_duration("5 minuts")
    assert caught.value.suggestion == '"minutes"'


@given(st.one_of(st.integers(1, int(LONGEST)), st.integers(1, 999).map(lambda ms: ms / 1000)))
def test_a_written_duration_reads_the_same(seconds: float) -> None:
    assert parse_duration(write_duration(seconds)) == pytest.approx(seconds, rel=1e-5)


@given(st.text() | st.integers() | st.floats() | st.none() | st.booleans() | st.lists(st.integers()))
def test_any_duration_is_good_or_refused(value: object) -> None:
    seconds = None
    with suppress(OptionError):
        seconds = parse_duration(value)
    assert seconds is None or 0.0 < seconds <= LONGEST


@pytest.mark.parametrize(
    ("value", "octets"), [(512, 512), ("8 KiB", 8192), ("8kib", 8192), ("1 kB", 1000), ("1.5 MiB", 1572864), ("9 B", 9)]
)
def test_sizes(value: object, octets: int) -> None:
    assert parse_size(value) == octets


@pytest.mark.parametrize("value", [0, -1, True, 1.5, "8", "8 K", "0 B", "", None])
def test_what_is_no_size(value: object) -> None:
    with pytest.raises(OptionError):
        parse_size(value)


@given(st.integers(1, 2**40))
def test_a_written_size_reads_the_same(octets: int) -> None:
    assert parse_size(write_size(octets)) == octets


@pytest.mark.parametrize(
    ("value", "ports"),
    [
        ("50000-50003", (50000, 50001, 50002, 50003)),
        ("20", (20,)),
        (20, (20,)),
        ("50001,50000", (50000, 50001)),
        (" 50000 - 50001 , 50005 ", (50000, 50001, 50005)),
        ("50000-50002,50001-50003", (50000, 50001, 50002, 50003)),
        ([50000, "50005-50006"], (50000, 50005, 50006)),
        (0, None),
        ("0", None),
        ("any", None),
    ],
)
def test_passive_ports(value: object, ports: tuple[int, ...] | None) -> None:
    assert parse_ports(value) == ports


@pytest.mark.parametrize(
    ("value", "word"),
    [
        ("50019-50000", "goes down"),
        ("65530-65540", "leaves the ports"),
        ("0-5", "leaves the ports"),
        ("", "neither a port"),
        ("1-2-3", "neither a port"),
        ("50000;50001", "neither a port"),
        ("50000,", "neither a port"),
        ([], "no ports"),
        (True, "neither a port"),
        (False, "neither a port"),
        (1.5, "neither a port"),
        ({"a": 1}, "neither a port"),
        ("99999999999999999999", "neither a port"),
        ("1024-65535", f"at most {MOST_PASSIVE_PORTS}"),
        (["0", 5], "leaves the ports"),
    ],
)
def test_what_are_no_passive_ports(value: object, word: str) -> None:
    with pytest.raises(OptionError, match=word):
        parse_ports(value)


@given(st.sets(st.integers(1, 65535), min_size=1, max_size=50))
def test_written_ports_read_the_same(ports: set[int]) -> None:
    text = write_ports(tuple(sorted(ports)))
    assert parse_ports(text) == tuple(sorted(ports))


@given(st.integers(1, 65535 - 20), st.integers(0, 20))
def test_a_range_is_written_as_one(low: int, more: int) -> None:
    text = write_ports(tuple(range(low, low + more + 1)))
    assert text == (f"{low}-{low + more}" if more else str(low))


@pytest.mark.parametrize("value", [-1, 65536, "21", True, 21.0, None])
def test_what_is_no_port(value: object) -> None:
    with pytest.raises(OptionError):
        parse_port(value)


def test_the_active_port() -> None:
    assert parse_active_port("auto") is None
    assert parse_active_port(0) == 0
    with pytest.raises(OptionError) as caught:
        parse_active_port("20")
    assert caught.value.suggestion == "20"
    with pytest.raises(OptionError) as caught:
        parse_active_port("atuo")
    assert caught.value.suggestion == '"auto"'


def test_addresses() -> None:
    assert parse_address("0.0.0.0") == "0.0.0.0"
    assert parse_address("2001:DB8:0::1") == "2001:db8::1"
    assert parse_address("fe80::1%eth0") == "fe80::1%eth0"
    for value in ("*", "localhost", "1.2.3", "1.2.3.4/8", "", 5, "[::1]"):
        with pytest.raises(OptionError):
            parse_address(value)
    with pytest.raises(OptionError) as caught:
        parse_address("[::1]")
    assert caught.value.suggestion == '"::1"'


@pytest.mark.parametrize("value", ["auto", "none", "203.0.113.9", "2001:db8::1", "ftp.example.net", "xn--4ca.example"])
def test_external_addresses(value: str) -> None:
    assert parse_external(value) == value


@pytest.mark.parametrize(
    "value", ["", "203.0.113", "1.2.3.4.5", "999.1.1.1", "a b", "-a.example", "a..b", "ä.example", 5]
)
def test_what_is_no_external_address(value: object) -> None:
    with pytest.raises(OptionError):
        parse_external(value)


def test_host_names_are_small() -> None:
    assert parse_host_name("FTP.Example.NET") == "ftp.example.net"
    with pytest.raises(OptionError):
        parse_host_name("10.0.0.1")


def test_networks() -> None:
    assert str(parse_network("10.8.0.0/16")) == "10.8.0.0/16"
    with pytest.raises(OptionError, match="host bits"):
        parse_network("10.8.0.1/16")


@pytest.mark.parametrize(
    ("value", "access"),
    [
        ("read", READ_ONLY),
        ("read-write", READ_WRITE),
        (["list", "create"], frozenset({Permission.LIST, Permission.CREATE})),
        ([], frozenset()),
    ],
)
def test_access(value: object, access: frozenset[Permission]) -> None:
    assert parse_access(value) == access


@pytest.mark.parametrize(
    ("value", "suggestion"),
    [
        ("readwrite", '"read-write"'),
        ("list", '["list"]'),
        (["raed"], '"read"'),
        (["mkdir"], None),
        ([1], None),
        (7, None),
        ([["list"]], '"list"'),
    ],
)
def test_what_is_no_access(value: object, suggestion: str | None) -> None:
    with pytest.raises(OptionError) as caught:
        parse_access(value)
    assert caught.value.suggestion == suggestion


def test_prefixes_are_normalised() -> None:
    assert parse_prefix("/a//b/../c/").text == "/a/c"
    with pytest.raises(OptionError) as caught:
        parse_prefix("incoming")
    assert caught.value.suggestion == '"/incoming"'
    with pytest.raises(OptionError, match="line feed"):
        parse_prefix("/a\nb")


ANY: list[Callable[[object], object]] = [
    parse_access, parse_active_port, parse_address, parse_duration, parse_external, parse_host_name, parse_network,
    parse_port, parse_ports, parse_prefix, parse_size,
]  # fmt: skip


@given(
    st.sampled_from(ANY),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.dates(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=5,
    ),
)
def test_any_value_is_good_or_refused(parse: Callable[[object], object], value: object) -> None:
    """And nothing else: any other exception would be a trace where a report is due."""
    with suppress(OptionError):
        parse(value)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_quoted_text_is_toml(text: str) -> None:
    import tomllib

    assert tomllib.loads(f"key = {quote(text)}") == {"key": text}


@pytest.mark.parametrize(("value", "ports"), [("same", None), (None, None), ("60000-60001", (60000, 60001))])
def test_ports_outside(value: object, ports: tuple[int, ...] | None) -> None:
    assert parse_outside_ports(value) == ports


@pytest.mark.parametrize("value", ["any", 0, "60000-", True])
def test_what_are_no_ports_outside(value: object) -> None:
    with pytest.raises(OptionError):
        parse_outside_ports(value)


@pytest.mark.parametrize(
    ("value", "host", "port"),
    [
        ("stun.example.net", "stun.example.net", None),
        ("stun.example.net:3479", "stun.example.net", 3479),
        ("192.0.2.5:3479", "192.0.2.5", 3479),
        ("[2001:db8::5]:3479", "2001:db8::5", 3479),
        ("[2001:db8::5]", "2001:db8::5", None),
        ("2001:db8::5", "2001:db8::5", None),
    ],
)
def test_stun_servers(value: str, host: str, port: int | None) -> None:
    assert parse_stun_server(value) == value
    assert split_host_port(value) == (host, port)


@pytest.mark.parametrize("value", ["", "auto", "none", ":3478", "a b", "stun.example.net:0", "host:99999", 3478, None])
def test_what_is_no_stun_server(value: object) -> None:
    with pytest.raises(OptionError):
        parse_stun_server(value)
