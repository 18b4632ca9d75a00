"""Every kind of argument: what parses to what, and which code the rest is answered with."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from homeport.protocol.argument import (
    MAX_OFFSET,
    Argument,
    FactsPath,
    HostName,
    ListingRequest,
    Representation,
    TimePath,
    parse,
)
from homeport.protocol.command import ArgumentError, Command
from homeport.protocol.grammar import GRAMMAR
from homeport.protocol.hostport import EPSV_ALL, HostPort
from homeport.protocol.path import PathError, VirtualPath


def refused(kind: Argument, text: str | None) -> int:
    with pytest.raises(ArgumentError) as caught:
        parse(kind, text)
    return caught.value.code


def error_of(kind: Argument, text: str | None) -> ArgumentError | None:
    """What *text* is refused with; None if it parses. Any other exception fails the test."""
    try:
        parse(kind, text)
    except ArgumentError as error:
        return error
    return None


@pytest.mark.parametrize("kind", Argument)
def test_every_kind_has_a_parser(kind: Argument) -> None:
    texts = (None, "", "x", "1", "A", "F", "S", "a b", "1,1,1,1,1,1", "|1|1.1.1.1|1|", "4,4,1,1,1,1,2,1,1",
             "20240101000000 f", "a=b; f")  # fmt: skip
    assert any(error_of(kind, text) is None for text in texts)


def test_every_row_of_the_grammar_has_a_kind() -> None:
    assert {row.argument for row in GRAMMAR.values()} <= set(Argument)


@pytest.mark.parametrize("verb", sorted(GRAMMAR))
@given(line=st.binary(max_size=60))
def test_any_octets_parse_or_raise_argument_error(verb: str, line: bytes) -> None:
    row = GRAMMAR[verb]
    command = Command.parse(verb.encode() + b" " + line)
    assert command.verb == verb
    error = error_of(row.argument, command.argument)
    assert error is None or (row.allows(error.code) and error.text and "\n" not in error.text)


_LIKELY = st.text(alphabet="0123456789,|.:;=-[]% RrAaIiLl/x\x00\r\n\udcff²ıſ", max_size=80)


@given(kind=st.sampled_from(Argument), text=_LIKELY)
@example(kind=Argument.MARKER, text="²")
@example(kind=Argument.MARKER, text="9" * 5000)
@example(kind=Argument.ALLOCATION, text="9" * 5000)
@example(kind=Argument.EXTENDED_HOST_PORT, text="|" + "9" * 5000 + "|x|1|")
@example(kind=Argument.EXTENDED_HOST_PORT, text="|1|1.2.3.4|" + "9" * 5000 + "|")
@example(kind=Argument.TIME_PATH, text="2024" + "9" * 5000 + " x")
@example(kind=Argument.TYPE, text="L " + "9" * 5000)
def test_likely_text_parses_or_raises_argument_error(kind: Argument, text: str) -> None:
    error = error_of(kind, text)
    assert error is None or error.code in {501, 521, 522}


# -- none, text, pathnames -------------------------------------------------------------------------


@pytest.mark.standard("959-5.3.1-NOARG")
@pytest.mark.parametrize("verb", ["CDUP", "QUIT", "REIN", "PASV", "ABOR", "PWD", "SYST"])
def test_verbs_without_argument_refuse_one(verb: str) -> None:
    kind = GRAMMAR[verb].argument
    assert parse(kind, None) is None
    assert parse(kind, "") is None
    assert parse(kind, "  ") is None
    assert refused(kind, "x") == 501


@pytest.mark.standard("959-5.3.1-NEEDARG")
@pytest.mark.parametrize(
    "verb",
    [
        "USER", "PASS", "ACCT", "CWD", "SMNT", "PORT", "TYPE", "STRU", "MODE", "RETR", "STOR", "APPE", "ALLO", "REST",
        "RNFR", "RNTO", "DELE", "RMD", "MKD", "SITE",
    ],
)  # fmt: skip
def test_verbs_with_argument_need_one(verb: str) -> None:
    kind = GRAMMAR[verb].argument
    assert refused(kind, None) == 501
    if verb != "PASS":
        assert refused(kind, "") == 501


@pytest.mark.standard("959-5.3.1-OPTARG")
@pytest.mark.parametrize("verb", ["LIST", "NLST", "STAT", "HELP", "MLST", "MLSD", "STOU", "LANG", "EPSV"])
def test_optional_arguments_may_be_absent(verb: str) -> None:
    kind = GRAMMAR[verb].argument
    absent = ListingRequest(frozenset(), None, None) if kind is Argument.LISTING else None
    assert parse(kind, None) == absent
    assert parse(kind, "") == absent


@pytest.mark.standard("959-5.3-SPACES")
def test_texts_tolerate_spaces_around() -> None:
    assert parse(Argument.TEXT, "  bob ") == "bob"
    assert parse(Argument.OPTIONAL_TEXT, "  STOR ") == "STOR"
    assert parse(Argument.OPTIONAL_TEXT, "   ") is None
    assert refused(Argument.TEXT, "   ") == 501
    assert parse(Argument.TYPE, "  I ") == Representation("I", None, None)
    assert parse(Argument.MARKER, "  7 ") == 7


@pytest.mark.standard("959-5.3.2-STRING")
def test_a_password_is_taken_as_it_came() -> None:
    assert parse(Argument.PASSWORD, " a\tb ") == " a\tb "
    assert parse(Argument.PASSWORD, "") == ""


def test_a_text_with_a_pathname_keeps_the_spaces_at_its_end() -> None:
    assert parse(Argument.TEXT_PATH, "  CHMOD 644 a ") == "CHMOD 644 a "
    assert refused(Argument.TEXT_PATH, "  ") == 501


@pytest.mark.standard("2640-3.1-SINGLE-SP", "2640-3.1-TRAIL-SP", "959-5.3.2-STRING")
@pytest.mark.parametrize("verb", ["STOR", "CWD", "MLST", "MDTM"])
def test_a_pathname_is_all_behind_one_space(verb: str) -> None:
    command = Command.parse(verb.encode() + b'   a  "b"\t\x7f ')
    assert parse(GRAMMAR[verb].argument, command.argument) == '  a  "b"\t\x7f '


@pytest.mark.standard("3659-3.1-MDTM")
def test_mdtm_takes_a_time_for_a_part_of_the_name() -> None:
    assert parse(GRAMMAR["MDTM"].argument, "19990929043300 File6") == "19990929043300 File6"


@pytest.mark.standard("2640-3.1-UTF8", "2640-3.1-RAW", "2640-3.1-NO7BIT", "2640-3.1-CHECK")
@given(name=st.binary(min_size=1).filter(lambda name: b"\n" not in name))
def test_any_name_survives_octet_for_octet(name: bytes) -> None:
    path = parse(Argument.PATH, Command.parse(b"STOR " + name).argument)
    assert isinstance(path, str)
    assert path.encode("utf-8", "surrogateescape") == name


@given(text=st.text(alphabet="./ab \\\r\x00\n~*é\udcff", max_size=30), base=st.sampled_from(["/", "/a", "/a/b"]))
def test_any_path_text_stays_beneath_the_root(text: str, base: str) -> None:
    try:
        path = VirtualPath.parse(text, VirtualPath(base))
    except PathError:
        assert not text or "\x00" in text or "\n" in text
        return
    assert path.text.startswith("/")
    assert not {"", ".", ".."} & set(path.names)
    assert VirtualPath.parse(path.text) == path
    # An independent reading: walk the names, and never rise above the root.
    walked: list[str] = []
    for name in (text if text.startswith("/") else f"{base}/{text}").split("/"):
        if name == "..":
            del walked[-1:]
        elif name not in ("", "."):
            walked.append(name)
    assert list(path.names) == walked


# -- listings ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "options", "path"),
    [
        ("-a", "a", None),
        ("-al", "al", None),
        ("-al path", "al", "path"),
        ("-al -t path", "alt", "path"),
        ("-a -l", "al", None),
        ("-al ", "al", None),
        ("-al  path", "al", " path"),
        ("-la a b ", "la", "a b "),
        ("-- -a", "", "-a"),
        ("-a -- -l", "a", "-l"),
        ("--", "", None),
        ("-aZ1Q9 x", "a1", "x"),
        ("-", "", "-"),
        ("-x.txt", "", "-x.txt"),
        ("--color=auto", "", "--color=auto"),
        ("path -a", "", "path -a"),
        (" -a", "", " -a"),
        ("*.txt", "", "*.txt"),
    ],
)
def test_options_of_ls_before_the_path(text: str, options: str, path: str | None) -> None:
    assert parse(Argument.LISTING, text) == ListingRequest(frozenset(options), path, text)


# -- data connections -------------------------------------------------------------------------------


@pytest.mark.standard("959-4.1.2-PORT-SYNTAX")
@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("127,0,0,1,4,1", HostPort(4, "127.0.0.1", 1025)),
        ("0,0,0,0,255,255", HostPort(4, "0.0.0.0", 65535)),
        ("10,20,30,255,0,21", HostPort(4, "10.20.30.255", 21)),
        ("  10,0,0,1,4,0 ", HostPort(4, "10.0.0.1", 1024)),
    ],
)
def test_port(text: str, value: HostPort) -> None:
    assert parse(Argument.HOST_PORT, text) == value


@pytest.mark.standard("959-4.1.2-PORT-SYNTAX")
@pytest.mark.parametrize(
    "text",
    [
        "", "127,0,0,1,4", "127,0,0,1,4,1,1", "256,0,0,1,4,1", "127,0,0,1,4,256", "-1,0,0,1,4,1", "127,0,,1,4,1",
        "127,0,0,1,4,", ",127,0,0,1,4", "a,0,0,1,4,1", "127, 0,0,1,4,1", "127,00,0,1,4,1", "127,0,0,01,4,1",
        "127,0,0,1,0,0", "127.0.0.1,4,1", "(127,0,0,1,4,1)", "127,0,0,1,4,1 x", "127,0,0,1,4,+1", "127,0,0,1,4,²",
        "1111,0,0,1,4,1", "127,0,0,1,4,\u0661",
    ],
)  # fmt: skip
def test_bad_port(text: str) -> None:
    assert refused(Argument.HOST_PORT, text) == 501


@pytest.mark.standard("2428-2-EPRT-SYNTAX", "2428-2-AF1", "2428-2-AF2")
@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("|1|132.235.1.2|6275|", HostPort(4, "132.235.1.2", 6275)),
        ("!1!132.235.1.2!6275!", HostPort(4, "132.235.1.2", 6275)),
        ("#1#132.235.1.2#6275#", HostPort(4, "132.235.1.2", 6275)),
        ("~2~::1~1~", HostPort(6, "::1", 1)),
        ("|2|1080::8:800:200C:417A|5282|", HostPort(6, "1080::8:800:200c:417a", 5282)),
        ("|2|1080:0:0:0:8:800:200c:417a|65535|", HostPort(6, "1080::8:800:200c:417a", 65535)),
        ("|2|::13.1.68.3|80|", HostPort(6, "::d01:4403", 80)),
    ],
)
def test_eprt(text: str, value: HostPort) -> None:
    assert parse(Argument.EXTENDED_HOST_PORT, text) == value


@pytest.mark.standard("2428-2-EPRT-SYNTAX", "2428-2-ERR", "2428-2-AF1", "2428-2-AF2")
@pytest.mark.parametrize(
    "text",
    [
        "", "|", "||||", " |1|1.2.3.4|5|", "|1|1.2.3.4|5| ",
        "|1|1.2.3.4|5", "1|1.2.3.4|5|", "|1|1.2.3.4|5||", "|1|1.2.3.4|5|6|", "|1|1.2.3.4|5| x",
        "|1|1.2.3.4|5!", "\x1f1\x1f1.2.3.4\x1f5\x1f", "é1é1.2.3.4é5é", "|a|1.2.3.4|5|", "||1.2.3.4|5|",
        "|01|1.2.3.4|5|",
        "| 1|1.2.3.4|5|", "|1| 1.2.3.4|5|",
        "|1|1.2.3.4|0|", "|1|1.2.3.4|65536|", "|1|1.2.3.4|99999|", "|1|1.2.3.4|x|", "|1|1.2.3.4||", "|1|1.2.3.4|-5|",
        "|1|1.2.3.4| 5|", "|1|1.2.3.4|0x10|", "|1|1.2.3.4|\u0665|",
        "|1|1.2.3|5|", "|1|01.2.3.4|5|", "|1|0x1.2.3.4|5|", "|1|16909060|5|", "|1|::1|5|", "|1|1.2.3.4.5|5|", "|1||5|",
        "|1|1.2.3.4/32|5|", "|1|host|5|",
        "|2|1.2.3.4|5|", "|2|:::|5|", "|2|fe80::1%eth0|5|", "|2|[::1]|5|", "|2|::g|5|", "|2||5|", "|2|::1/128|5|",
    ],
)  # fmt: skip
def test_bad_eprt(text: str) -> None:
    assert refused(Argument.EXTENDED_HOST_PORT, text) == 501


@pytest.mark.standard("2428-2-522")
@pytest.mark.parametrize("text", ["|3|x|1|", "|0|1.2.3.4|5|", "|99999999999|1.2.3.4|5|"])
def test_eprt_of_an_unknown_family(text: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        parse(Argument.EXTENDED_HOST_PORT, text)
    assert (caught.value.code, caught.value.text) == (522, "Network protocol not supported, use (1,2)")


@pytest.mark.standard("2428-3-ARG-AF", "2428-3-ALL-CASE")
def test_epsv() -> None:
    assert parse(Argument.FAMILY, "1") == 4
    assert parse(Argument.FAMILY, " 2 ") == 6
    for text in ("ALL", "all", "aLl"):
        assert parse(Argument.FAMILY, text) is EPSV_ALL


@pytest.mark.standard("2428-3-ARG-522")
@pytest.mark.parametrize("text", ["3", "0", "17", "1" * 5000])
def test_epsv_of_an_unknown_family(text: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        parse(Argument.FAMILY, text)
    assert (caught.value.code, caught.value.text) == (522, "Network protocol not supported, use (1,2)")


@pytest.mark.standard("2428-3-ARG-BAD")
@pytest.mark.parametrize("text", ["foo", "-1", "1 2", "01", "ALLX", "1.0"])
def test_bad_epsv(text: str) -> None:
    assert refused(Argument.FAMILY, text) == 501


@pytest.mark.standard("1639-LPRT-SYNTAX", "1639-LPRT-AF")
@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("4,4,127,0,0,1,2,4,1", HostPort(4, "127.0.0.1", 1025)),
        ("6,16,32,1,13,184,0,0,0,0,0,0,0,0,0,0,0,1,2,255,254", HostPort(6, "2001:db8::1", 65534)),
    ],
)
def test_lprt(text: str, value: HostPort) -> None:
    assert parse(Argument.LONG_HOST_PORT, text) == value


@pytest.mark.standard("1639-LPRT-SYNTAX")
@pytest.mark.parametrize(
    "text",
    [
        "", "4", "4,4", "4,4,127,0,0,1", "4,4,127,0,0,1,2,4", "4,4,127,0,0,1,2,4,1,1", "4,3,127,0,0,2,4,1",
        "4,5,127,0,0,1,1,2,4,1", "4,4,127,0,0,1,1,4", "4,4,127,0,0,1,3,0,4,1", "4,16,127,0,0,1,2,4,1", "4,255,1",
        "6,4,127,0,0,1,2,4,1", "4,4,127,0,0,256,2,4,1", "4,4,127,0,0,1,2,0,0", "4,4,127,0,0,-1,2,4,1",
        "4, 4,127,0,0,1,2,4,1", "4,0,0", "1,1",
    ],
)  # fmt: skip
def test_bad_lprt(text: str) -> None:
    assert refused(Argument.LONG_HOST_PORT, text) == 501


@pytest.mark.standard("1639-521", "1639-LPRT-AF")
@pytest.mark.parametrize("text", ["1,4,127,0,0,1,2,4,1", "2,16,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,1,2,4,1", "16,0,0"])
def test_lprt_of_an_unknown_family(text: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        parse(Argument.LONG_HOST_PORT, text)
    assert (caught.value.code, caught.value.text) == (521, "Supported address families are (4,6)")


# -- transfer parameters ------------------------------------------------------------------------------


@pytest.mark.standard("959-5.3-CASE", "959-3.1.1.5-FORM", "959-4.1.2-TYPE-RESET", "959-3.1.1.4-L-ARG")
@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("A", Representation("A", "N", None)),
        ("a", Representation("A", "N", None)),
        ("a n", Representation("A", "N", None)),
        ("A T", Representation("A", "T", None)),
        ("A  c ", Representation("A", "C", None)),
        ("E", Representation("E", "N", None)),
        ("e t", Representation("E", "T", None)),
        ("i", Representation("I", None, None)),
        ("L 8", Representation("L", None, 8)),
        ("l 36", Representation("L", None, 36)),
    ],
)
def test_type(text: str, value: Representation) -> None:
    assert parse(Argument.TYPE, text) == value


@pytest.mark.parametrize("text", ["A", "I", "L 8"])
def test_all_sessions_have_the_same_common_type(text: str) -> None:
    assert parse(Argument.TYPE, text) is parse(Argument.TYPE, "".join(list(text)))
    assert parse(Argument.TYPE, "A N") is parse(Argument.TYPE, "A")


@pytest.mark.standard("959-4.1.2-TYPE-BAD", "959-3.1.1.4-L-ARG", "959-4.2-504")
@pytest.mark.parametrize(
    "text",
    ["", "Z", "A X", "AN", "A N N", "I N", "I 8", "L", "L 0", "L 256", "L x", "L -8", "L 8 8", "L8", "ı", "A\tN"],
)
def test_bad_type(text: str) -> None:
    assert refused(Argument.TYPE, text) == 501


@pytest.mark.standard("959-4.1.2-STRU-BAD", "959-4.1.2-MODE-BAD", "959-5.3-CASE", "959-4.2-504")
def test_structure_and_mode() -> None:
    assert [parse(Argument.STRUCTURE, code) for code in "frP"] == ["F", "R", "P"]
    assert [parse(Argument.MODE, code) for code in "sbCz"] == ["S", "B", "C", "Z"]
    for bad in ("X", "FF", "F R", ""):
        assert refused(Argument.STRUCTURE, bad) == 501
    for bad in ("X", "SS", "ſ", ""):
        assert refused(Argument.MODE, bad) == 501


# -- numbers -----------------------------------------------------------------------------------------


@pytest.mark.standard("959-4.1.3-ALLO")
def test_allocation() -> None:
    assert parse(Argument.ALLOCATION, "5") == 5
    assert parse(Argument.ALLOCATION, "5 R 80") == 5
    assert parse(Argument.ALLOCATION, " 005  r  80 ") == 5
    assert parse(Argument.ALLOCATION, "0 R 80") == 0
    assert parse(Argument.ALLOCATION, "9" * 30) == MAX_OFFSET
    for bad in ("", "x", "5 R", "5R80", "5 80", "-5", "5.0", "5 R x", "R 5", "5 R 80 1", "²"):
        assert refused(Argument.ALLOCATION, bad) == 501


@pytest.mark.standard("3659-5.3-SYNTAX", "3659-5.3-350")
def test_marker() -> None:
    for text, value in (("0", 0), ("000", 0), ("100", 100), (str(MAX_OFFSET), MAX_OFFSET), ("0" * 40 + "7", 7)):
        assert parse(Argument.MARKER, text) == value
    for bad in ("", "-1", "+1", "x", "1.5", "0x10", "1 2", "1_000", "²", str(2**63), "9" * 5000):
        assert refused(Argument.MARKER, bad) == 501


# -- names -------------------------------------------------------------------------------------------


@pytest.mark.standard("2640-4.2-SYNTAX", "2640-4.2-501", "2640-4.1-NOARG")
def test_language() -> None:
    assert parse(Argument.LANGUAGE, None) is None
    for tag in ("en", "en-US", "EN", "x-abcdefgh-a", "i-klingon"):
        assert parse(Argument.LANGUAGE, tag) == tag
    for bad in ("e_n", "toolongtag", "en-", "-en", "en--us", "en us", "en1", "é", "en-abcdefghi"):
        assert refused(Argument.LANGUAGE, bad) == 501


@pytest.mark.standard("7151-3.1-SYNTAX", "7151-3.1-CASE", "7151-3.1-LITERAL")
@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("ftp.example.com", HostName("ftp.example.com", literal=False)),
        ("FTP.Example.COM", HostName("ftp.example.com", literal=False)),
        ("xn--e1afmkfd.com", HostName("xn--e1afmkfd.com", literal=False)),
        ("a", HostName("a", literal=False)),
        ("3com.com", HostName("3com.com", literal=False)),
        ("192.0.2.1", HostName("192.0.2.1", literal=True)),
        ("[2001:DB8::C000:201]", HostName("2001:db8::c000:201", literal=True)),
        ("[::192.0.2.1]", HostName("::c000:201", literal=True)),
        ("  ftp.example.com ", HostName("ftp.example.com", literal=False)),
    ],
)
def test_host(text: str, value: HostName) -> None:
    assert parse(Argument.HOST, text) == value


@pytest.mark.standard("7151-3.1-SYNTAX", "7151-3.1-NOPORT")
@pytest.mark.parametrize(
    "text",
    [
        "", "a_b", "-a", "a-", "a..b", ".a", "a.", "[::g]", "[]", "[", "[fe80::1%eth0]", "a b", "é.com", "2001:db8::1",
        "192.0.2.1:2112", "[2001:db8::1]:2112", "ftp.example.com:21", "a" * 64, ".".join(["a" * 60] * 5), "[192.0.2.1]",
    ],
)  # fmt: skip
def test_bad_host(text: str) -> None:
    assert refused(Argument.HOST, text) == 501


# -- facts and times -----------------------------------------------------------------------------------


@pytest.mark.standard("MFXX-3.1-MFMT", "MFXX-4-MFCT")
def test_time_and_path() -> None:
    assert parse(Argument.TIME_PATH, "19700101000001.5  a b ") == TimePath(1_500_000_000, " a b ")


@pytest.mark.standard("MFXX-3.2-501", "MFXX-4.2-501")
@pytest.mark.parametrize(
    "text",
    [
        "", "20240101000000", "20240101000000 ", " f", "20230229000000 f", "x f", "2024010100000 f",
        "20240101000000. f",
    ],
)  # fmt: skip
def test_bad_time_and_path(text: str) -> None:
    assert refused(Argument.TIME_PATH, text) == 501


@pytest.mark.standard("MFXX-5.1-MFF", "MFXX-5.1-NAMES")
def test_facts_and_path() -> None:
    value = parse(Argument.FACTS_PATH, "MODIFY=20240101000000;UNIX.mode=0640;X.a=b=c;X.e=;  f ")
    assert value == FactsPath((("modify", "20240101000000"), ("unix.mode", "0640"), ("x.a", "b=c"), ("x.e", "")), " f ")


@pytest.mark.standard("MFXX-5.1-MFF", "MFXX-5.5-501")
@pytest.mark.parametrize(
    "text",
    [
        "", "a=b;", "a=b; ", " f", "a=b f", "a; f", "=b; f", "; f", "a=b;; f", "a=b;c f", "modify=; f", "é=1; f",
        "a=\x01; f", "modify=20230229000000; f", "create=20241301000000; f", "Modify=x; f",
    ],
)  # fmt: skip
def test_bad_facts_and_path(text: str) -> None:
    assert refused(Argument.FACTS_PATH, text) == 501
