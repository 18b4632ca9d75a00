"""Times, `ls -l` lines, and fact lines."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeport.protocol.command import ArgumentError
from homeport.protocol.listing import (
    DEFAULT_FACTS,
    FACTS,
    HALF_YEAR,
    FactLines,
    directory_permissions,
    feature_text,
    file_permissions,
    list_line,
    list_text,
    mode_text,
    name_line,
    options_text,
    parse_time,
    select_facts,
    time_value,
)
from homeport.storage.base import Entry, Kind

SECOND = 1_000_000_000
NOW = datetime(2026, 11, 24, 6, 12, 30, tzinfo=UTC).timestamp()


def at(year: int, month: int, day: int, hour: int = 0, minute: int = 0, second: int = 0) -> int:
    return int(datetime(year, month, day, hour, minute, second, tzinfo=UTC).timestamp()) * SECOND


def entry(
    name: str = "a b",
    kind: Kind = Kind.FILE,
    *,
    modified_ns: int = at(2026, 11, 24, 6, 12),
    size: int = 1234,
    mode: int = 0o644,
    links: int = 1,
    target: str | None = None,
) -> Entry:
    return Entry(name, kind, size, modified_ns, mode, links, 1000, 100, "u1", target)


# -- time values --------------------------------------------------------------------------------------


@pytest.mark.standard("3659-2.3-TIMEVAL", "3659-2.3-RANGE")
@pytest.mark.parametrize(
    ("text", "time_ns"),
    [
        ("19700101000000", 0),
        ("19700101000001.5", 1_500_000_000),
        ("19691231235959.9", -100_000_000),
        ("20240229123456", at(2024, 2, 29, 12, 34, 56)),
        ("20020717210715.123", at(2002, 7, 17, 21, 7, 15) + 123_000_000),
        ("20020717210715.123456789987", at(2002, 7, 17, 21, 7, 15) + 123_456_789),
        ("10000101000000", at(1000, 1, 1)),
        ("99991231235959", at(9999, 12, 31, 23, 59, 59)),
        ("20161231235960", at(2017, 1, 1)),
        ("20150630235960.5", at(2015, 7, 1) + SECOND // 2),
        ("99991231235960", at(9999, 12, 31, 23, 59, 59) + SECOND),
    ],
)
def test_times_are_read(text: str, time_ns: int) -> None:
    assert parse_time(text) == time_ns


@pytest.mark.standard("3659-2.3-TIMEVAL", "3659-2.3-RANGE", "MFXX-3.2-501")
@pytest.mark.parametrize(
    "text",
    [
        "", "2024", "2024010100000", "202401010000000", "20240101000000.", "20240101000000,5", "20240101000000.x",
        "20230229000000", "19000229000000", "20240431000000", "20241301000000", "20240001000000", "20240100000000",
        "20240101240000", "20240101006000", "20240101000061", "20240101000060", "20240115235960", "20161231225960",
        "00000101000000", "09991231235959", " 20240101000000", "20240101000000 ", "20240101000000\n", "-0240101000000",
        "2024010100000²", "２0240101000000",
    ],
)  # fmt: skip
def test_bad_times_are_refused(text: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        parse_time(text)
    assert caught.value.code == 501


@pytest.mark.standard("3659-2.3-PREC", "3659-2.3-TIMEVAL")
def test_no_precision_is_invented() -> None:
    time_ns = at(2002, 7, 17, 21, 7, 15) + 987_654_321
    assert time_value(time_ns) == "20020717210715"
    assert time_value(time_ns, 1) == "20020717210715.9"
    assert time_value(time_ns, 3) == "20020717210715.987"
    assert time_value(time_ns, 9) == "20020717210715.987654321"
    assert time_value(-1) == "19691231235959"
    assert time_value(-1, 2) == "19691231235959.99"


def test_times_that_have_no_value() -> None:
    assert time_value(at(1000, 1, 1)) == "10000101000000"
    assert time_value(at(1000, 1, 1) - 1) is None
    assert time_value(at(9999, 12, 31, 23, 59, 59)) == "99991231235959"
    assert time_value(at(9999, 12, 31, 23, 59, 59) + SECOND) is None


@pytest.mark.standard("3659-2.3-UTC")
@given(
    seconds=st.integers(at(1000, 1, 1) // SECOND, at(9999, 12, 31, 23, 59, 59) // SECOND),
    part=st.integers(0, SECOND - 1),
)
def test_times_come_back(seconds: int, part: int) -> None:
    time_ns = seconds * SECOND + part
    text = time_value(time_ns, 9)
    assert text is not None
    assert parse_time(text) == time_ns
    whole = time_value(time_ns)
    assert whole == text[:14]
    assert re.fullmatch(r"[0-9]{14}", whole)


# -- LIST and NLST --------------------------------------------------------------------------------------


def line(of: Entry, now: float = NOW) -> str:
    return list_text(of, "bob", "users", now)


@pytest.mark.parametrize(
    ("of", "text"),
    [
        (entry(), "-rw-r--r--   1 bob      users            1234 Nov 24 06:12 a b"),
        (entry(" x "), "-rw-r--r--   1 bob      users            1234 Nov 24 06:12  x "),
        (
            entry(kind=Kind.DIRECTORY, mode=0o1777, links=12),
            "drwxrwxrwt  12 bob      users            1234 Nov 24 06:12 a b",
        ),
        (entry(kind=Kind.OTHER, mode=0o600), "prw-------   1 bob      users            1234 Nov 24 06:12 a b"),
        (entry(target="t/u"), "lrwxrwxrwx   1 bob      users            1234 Nov 24 06:12 a b -> t/u"),
        (entry(modified_ns=at(2026, 6, 5)), "-rw-r--r--   1 bob      users            1234 Jun  5 00:00 a b"),
        (entry(modified_ns=at(2026, 1, 5)), "-rw-r--r--   1 bob      users            1234 Jan  5  2026 a b"),
        (entry(modified_ns=at(1999, 12, 31)), "-rw-r--r--   1 bob      users            1234 Dec 31  1999 a b"),
        (entry(modified_ns=at(2026, 11, 24, 6, 13)), "-rw-r--r--   1 bob      users            1234 Nov 24  2026 a b"),
        (entry(size=10**15), "-rw-r--r--   1 bob      users    1000000000000000 Nov 24 06:12 a b"),
    ],
)
def test_list_lines(of: Entry, text: str) -> None:
    assert line(of) == text
    assert list_line(of, "bob", "users", NOW) == text.encode() + b"\r\n"


def test_the_year_stands_for_the_time_from_half_a_year_on() -> None:
    now = int(NOW)
    for age, shows_time in ((0, True), (HALF_YEAR - 1, True), (HALF_YEAR, False), (-1, False)):
        text = line(entry("n", modified_ns=(now - age) * SECOND), now)
        assert bool(re.search(r" [0-9]{2}:[0-9]{2} n$", text)) is shows_time
        assert bool(re.search(r"  [0-9]{4} n$", text)) is not shows_time


def test_list_takes_another_name_and_owners_with_spaces() -> None:
    text = list_text(entry(target="t"), "Domain Users", "g", NOW, "sub/n")
    assert text == "lrwxrwxrwx   1 Domain_Users g                1234 Nov 24 06:12 sub/n -> t"


@given(
    name=st.text(min_size=1, max_size=20).filter(lambda name: "\n" not in name),
    seconds=st.integers(-(2**63), 2**63),
    now=st.floats(-1e12, 1e12),
    mode=st.integers(0, 0o7777),
    size=st.integers(0, 2**63),
)
def test_any_list_line_can_be_taken_apart(name: str, seconds: int, now: float, mode: int, size: int) -> None:
    name = name.encode("utf-8", "replace").decode()
    of = entry(name, modified_ns=seconds * SECOND, mode=mode, size=size)
    match = re.fullmatch(
        r"-[-rwxsStT]{9} +1 bob +users +(\d+) [A-Z][a-z]{2} [ 123]\d (?:\d\d:\d\d| \d{4}) (.+)",
        line(of, now),
        re.DOTALL,
    )
    assert match is not None
    assert match.groups() == (str(size), name)


@given(mode=st.integers(0, 0o777))
def test_permission_bits(mode: int) -> None:
    plain = "".join(letter if mode >> (8 - place) & 1 else "-" for place, letter in enumerate("rwxrwxrwx"))
    assert mode_text(mode) == plain


def test_special_permission_bits() -> None:
    assert mode_text(0o4755) == "rwsr-xr-x"
    assert mode_text(0o2644) == "rw-r-Sr--"
    assert mode_text(0o1770) == "rwxrwx--T"
    assert mode_text(0o7777) == "rwsrwsrwt"


@pytest.mark.standard("1123-4.1.2.7-NLST-USABLE", "2640-3.1-RAW")
def test_names() -> None:
    assert name_line("dir/ a ") == b"dir/ a \r\n"
    assert name_line(b"\xe4\xff".decode("utf-8", "surrogateescape")) == b"\xe4\xff\r\n"


@pytest.mark.standard("3659-6.1-CRLF")
def test_a_line_feed_in_a_name_forges_no_line() -> None:
    of = entry("a\r\n-rw-r--r-- b")
    assert list_line(of, "o", "g", NOW).count(b"\n") == 1
    assert list_line(entry(target="x\ny"), "o", "g", NOW).count(b"\n") == 1
    assert name_line(of.name).count(b"\n") == 1
    assert FactLines(DEFAULT_FACTS).line(of, "file", "r").count(b"\n") == 1


# -- facts ---------------------------------------------------------------------------------------------


@pytest.mark.standard("3659-7.2-ENTRY", "3659-7.2-CRLF", "3659-7.2-NOVARY", "3659-7.5.10-SET")
def test_a_line_of_mlsd() -> None:
    assert FactLines(DEFAULT_FACTS).line(entry(), "file", "adfrw") == (
        b"type=file;size=1234;modify=20261124061200;perm=adfrw;unique=u1;UNIX.mode=0644; a b\r\n"
    )


@pytest.mark.standard("3659-7.5.7-SIZE", "3659-7.2-RELEVANT")
@pytest.mark.parametrize("kind", ["dir", "cdir", "pdir"])
def test_directories_have_no_size(kind: str) -> None:
    text = FactLines(("type", "size", "modify")).entry(entry(kind=Kind.DIRECTORY), kind, "el")
    assert text == f"type={kind};modify=20261124061200; a b"


@pytest.mark.standard("3659-7.2-NOFACTS", "3659-7.9-EMPTY")
def test_without_facts_the_space_stays() -> None:
    assert FactLines(()).line(entry(), "file", "r") == b" a b\r\n"


@pytest.mark.standard("3659-7.9-ONLY")
@pytest.mark.parametrize("fact", FACTS)
def test_only_the_selected_fact_is_sent(fact: str) -> None:
    text = FactLines((fact,)).entry(entry(), "file", "r")
    assert re.fullmatch(rf"{re.escape(fact)}=[^; ]+; a b", text)


@pytest.mark.standard("3659-7.6.1-OSFACT", "3659-7.4-CHARS")
def test_owners() -> None:
    facts = ("UNIX.owner", "UNIX.group", "UNIX.uid", "UNIX.gid")
    names = {1000: "bob", 100: "domain users"}
    named = FactLines(facts, owner=names.__getitem__, group=names.__getitem__)
    assert named.entry(entry(), "file", "") == "UNIX.owner=bob;UNIX.group=100;UNIX.uid=1000;UNIX.gid=100; a b"
    assert FactLines(facts).entry(entry(), "file", "") == (
        "UNIX.owner=1000;UNIX.group=100;UNIX.uid=1000;UNIX.gid=100; a b"
    )


def test_a_fact_without_a_value_is_left_out() -> None:
    assert FactLines(("size", "modify")).entry(entry(modified_ns=10**30), "file", "") == "size=1234; a b"


@pytest.mark.standard("3659-7.3.1-MLST-NAME")
def test_mlst_names_the_whole_path() -> None:
    assert FactLines(("type",)).entry(entry(), "dir", "", "/x/a b") == "type=dir; /x/a b"
    assert FactLines(("modify",)).entry(entry(), "dir", "", "/") == "modify=20261124061200; /"


@pytest.mark.standard("3659-7.5.1.2-CDIR")
def test_whether_the_type_is_sent() -> None:
    assert FactLines(("type",)).shows_type
    assert not FactLines(("size",)).shows_type


ENTRY = re.compile(rb"(?:[A-Za-z.]+=[!-:<-~]*;)* (.+)\r\n", re.DOTALL)


@pytest.mark.standard("3659-7.2-ENTRY", "3659-7.3-8BIT", "3659-7.4-CHARS", "3659-7.2-NOVARY")
@given(
    name=st.binary(min_size=1, max_size=30).filter(lambda name: b"\n" not in name),
    facts=st.sets(st.sampled_from(FACTS)),
    modified_ns=st.integers(-(2**70), 2**70),
    mode=st.integers(0, 0o7777),
)
def test_any_entry_keeps_the_grammar(name: bytes, facts: set[str], modified_ns: int, mode: int) -> None:
    of = entry(name.decode("utf-8", "surrogateescape"), modified_ns=modified_ns, mode=mode)
    octets = FactLines(facts).line(of, "file", "adfrw")
    match = ENTRY.fullmatch(octets)
    assert match is not None
    assert match[1] == name
    # Split at the first space: the rest is the name, octet for octet.
    assert octets.partition(b" ")[2] == name + b"\r\n"


# -- perm -----------------------------------------------------------------------------------------------


@pytest.mark.standard("3659-7.5.5-PERM", "3659-7.5.5-a", "3659-7.5.5-d", "3659-7.5.5-f", "3659-7.5.5-r", "3659-7.5.5-w")
@pytest.mark.parametrize(
    ("right", "letter"), [("append", "a"), ("delete", "d"), ("rename", "f"), ("read", "r"), ("write", "w")]
)
def test_perm_of_a_file(right: str, letter: str) -> None:
    none = dict.fromkeys(("append", "delete", "rename", "read", "write"), False)
    assert file_permissions(**none) == ""
    assert file_permissions(**(none | {right: True})) == letter


@pytest.mark.standard(
    "3659-7.5.5-PERM", "3659-7.5.5-c", "3659-7.5.5-d", "3659-7.5.5-e", "3659-7.5.5-f", "3659-7.5.5-l", "3659-7.5.5-m",
    "3659-7.5.5-p",
)  # fmt: skip
@pytest.mark.parametrize(
    ("right", "letter"),
    [("create", "c"), ("delete", "d"), ("enter", "e"), ("rename", "f"), ("list_", "l"), ("make", "m"), ("purge", "p")],
)
def test_perm_of_a_directory(right: str, letter: str) -> None:
    none = dict.fromkeys(("create", "delete", "enter", "rename", "list_", "make", "purge"), False)
    assert directory_permissions(**none) == ""
    assert directory_permissions(**(none | {right: True})) == letter


# -- FEAT and OPTS ------------------------------------------------------------------------------------------


@pytest.mark.standard("3659-7.8-FEAT", "3659-7.8-LIVE", "3659-7.5.10-SET")
def test_feature_line() -> None:
    assert feature_text(DEFAULT_FACTS) == (
        "MLST type*;size*;modify*;perm*;unique*;UNIX.mode*;UNIX.owner;UNIX.group;UNIX.uid;UNIX.gid;"
    )
    assert feature_text(()) == "MLST type;size;modify;perm;unique;UNIX.mode;UNIX.owner;UNIX.group;UNIX.uid;UNIX.gid;"


@pytest.mark.standard("3659-7.5.4-CREATE", "3659-7.5.6-LANG", "3659-7.5.8-MEDIA")
def test_facts_that_would_be_guessed_are_not_offered() -> None:
    assert not {"create", "lang", "media-type", "charset"} & {fact.lower() for fact in FACTS}


@pytest.mark.standard("3659-7.9-OPTS", "3659-7.9-IGNORE", "3659-7.9-EMPTY", "3659-7.9.1-RESP", "3659-7.5-NAMES")
@pytest.mark.parametrize(
    ("text", "facts", "told"),
    [
        (None, (), "MLST OPTS"),
        ("", (), "MLST OPTS"),
        ("Size;TYPE;", ("type", "size"), "MLST OPTS type;size;"),
        ("size;frogs;", ("size",), "MLST OPTS size;"),
        ("lang;type;charset;create;", ("type",), "MLST OPTS type;"),
        ("unix.MODE;size;size;", ("size", "UNIX.mode"), "MLST OPTS size;UNIX.mode;"),
        ("frogs;", (), "MLST OPTS"),
    ],
)
def test_selection(text: str | None, facts: tuple[str, ...], told: str) -> None:
    selected = select_facts(text)
    assert selected == facts
    assert options_text(selected) == told
    starred = re.findall(r"([^;* ]+)\*;", feature_text(selected))
    assert tuple(starred) == facts


@pytest.mark.standard("3659-7.9-501")
@pytest.mark.parametrize(
    "text",
    ["unique type;", "size", "size;type", "size; type;", " size;", "size; ", ";", "size;;", "size*;", "a=b;", "é;"],
)
def test_bad_selection(text: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        select_facts(text)
    assert caught.value.code == 501


@given(selected=st.sets(st.sampled_from(FACTS)))
def test_feat_opts_and_lines_agree(selected: set[str]) -> None:
    chosen = select_facts("".join(f"{fact};" for fact in selected))
    assert set(chosen) == selected
    text = FactLines(chosen).entry(entry("n"), "file", "r")
    assert tuple(re.findall(r"([^;=]+)=[^;]*;", text)) == chosen
