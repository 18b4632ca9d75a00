"""RFC 2640: pathnames as octets that are UTF-8 where they can be, and LANG, whose only language is English."""

from __future__ import annotations

import os
import re

import pytest

from homeport.testing.client import Client, Way
from homeport.testing.plugin import FtpServer

NAMES = (
    "é", "日本語", "Ω≈ç√∫", "🎈", "e\u0301", "\ufeffx", "a\u200fb", " a ", "  b", "c  ", "-l", "a;b=c", 'a"b', "a\tb",
    "a\x7fb", "~", "*", "a\\b", "%41", "\u2028", "CON", "a b  c",
)  # fmt: skip
RAW_NAMES = (
    b"\xe4",
    b"a\xe4b",
    b"\xc3",
    b"\xc0\xaf",
    b"\xed\xa0\x80",
    b"\xf8\x88\x80\x80\x80",
    b"\xff",
    b"\xfe\xff\xff",
    b"\x80",
)
"""No UTF-8: Latin-1, cut short, overlong, a surrogate, five octets, what never occurs."""


def octets(name: str | bytes) -> bytes:
    return name.encode() if isinstance(name, str) else name


@pytest.mark.standard("2640-3.1-UTF8", "2640-3.1-CHECK", "2640-3.1-RAW", "2640-3.1-NOLOSS", "2640-3.2-MIRROR")
@pytest.mark.parametrize("name", [*NAMES, *RAW_NAMES])
def test_a_name_goes_there_and_back_octet_by_octet(client: Client, root: os.PathLike[str], name: str | bytes) -> None:
    """Without any OPTS; a decoder that fails would answer 451."""
    raw = octets(name)
    assert client.stor(raw, b"content").complete
    assert os.listdir(os.fsencode(root)) == [raw]
    assert client.retr(raw).data == b"content"
    assert client.nlst().data == raw + b"\r\n"
    assert client.list_().data.endswith(b" " + raw + b"\r\n")
    assert client.mlsd().data.endswith(b"; " + raw + b"\r\n")
    assert client.ask(b"MLST " + raw, 250).body[0].endswith(b"; /" + raw)
    client.ask("TYPE I", 200)
    client.ask(b"SIZE " + raw, 213)
    client.ask(b"RNFR " + raw, 350)
    client.ask(b"RNTO x" + raw, 250)
    assert os.listdir(os.fsencode(root)) == [b"x" + raw]
    client.ask(b"DELE x" + raw, 250)
    client.ask(b"MKD " + raw, 257)
    client.ask(b"CWD " + raw, 250)
    assert client.ask("PWD", 257).lines[0].startswith(b'"/' + raw.replace(b'"', b'""') + b'"')


@pytest.mark.standard("2640-A1-RAWFS", "2640-3.1-RAW")
def test_names_made_on_the_host_are_listed_and_fetched(client: Client, root: os.PathLike[str]) -> None:
    folder = os.fsencode(root)
    wanted = sorted({octets(name) for name in (*NAMES, *RAW_NAMES)})
    for name in wanted:
        with open(os.path.join(folder, name), "wb") as file:
            file.write(name)
    listed = client.nlst().data.split(b"\r\n")[:-1]
    assert sorted(listed) == wanted
    for name in listed:
        assert client.retr(name).data == name


@pytest.mark.standard("2640-3.1-SINGLE-SP", "2640-3.1-TRAIL-SP", "X-08")
def test_one_space_separates_and_all_others_belong_to_the_name(client: Client, root: os.PathLike[str]) -> None:
    for line, name in ((b"STOR   foo.bar", "  foo.bar"), (b"STOR a ", "a "), (b"STOR a", "a"), (b"STOR  ", " ")):
        assert client.upload(line, name.encode()).complete
        with open(os.path.join(root, name), "rb") as file:
            assert file.read() == name.encode()
    assert sorted(os.listdir(root)) == sorted(["  foo.bar", "a ", "a", " "])
    assert client.retr("a ").data == b"a "
    assert client.retr("a").data == b"a"
    client.ask("DELE a ", 250)
    assert os.path.exists(os.path.join(root, "a"))
    client.ask("MKD  x", 257)
    client.ask("CWD x", 550)
    client.ask("CWD  x", 250)
    assert client.ask("PWD", 257).text.startswith('"/ x"')
    # What is no pathname tolerates more (RFC 959 §5.3).
    client.ask("TYPE  I", 200)
    client.ask("MODE   S ", 200)


@pytest.mark.standard("2640-3.2-FEAT")
def test_feat_has_the_line_utf8(client: Client) -> None:
    assert client.ask("FEAT", 211).body.count(b" UTF8") == 1


@pytest.mark.standard("X-15", "D-09")
@pytest.mark.parametrize(
    ("line", "codes"),
    [
        ("OPTS UTF8 ON", {200}), ("OPTS utf8 on", {200}), ("OPTS UTF-8 ON", {200}), ("OPTS UTF8", {200}),
        ("OPTS UTF8 NLST", {200}), ("OPTS UTF8 OFF", {501, 504}), ("OPTS UTF-8 OFF", {501, 504}),
    ],
)  # fmt: skip
def test_opts_utf8_changes_nothing(client: Client, line: str, codes: set[int]) -> None:
    client.ask("MKD ä", 257)
    before = client.mlsd().data
    client.ask(line, *codes)
    assert client.mlsd().data == before
    assert client.nlst().data == "ä\r\n".encode()


@pytest.mark.standard("2640-2.2-NOCONTENT")
@pytest.mark.parametrize("way", [Way.EPSV, Way.EPRT])
def test_the_content_is_not_converted(client: Client, root: os.PathLike[str], way: Way) -> None:
    content = "ä\u20ac".encode() + "ä".encode("latin-1") + "\ufeff".encode("utf-16") + b"\xff\xfe\x00"
    for type_ in ("A", "I"):
        client.ask(f"TYPE {type_}", 200)
        assert client.stor("f", content, way=way).complete
        with open(os.path.join(root, "f"), "rb") as file:
            assert file.read() == content
        assert client.retr("f", way=way).data == content


# -- LANG --------------------------------------------------------------------------------------------------------------


def languages(client: Client) -> list[str]:
    """The line LANG of FEAT, checked."""
    (line,) = [line.decode() for line in client.ask("FEAT", 211).body if line.startswith(b" LANG")]
    tag = r"[A-Za-z]{1,8}(?:-[A-Za-z]{1,8})*\*?"
    assert re.fullmatch(rf" LANG {tag}(?:;{tag})*", line)
    assert line.count("*") == 1
    return line.removeprefix(" LANG ").split(";")


@pytest.mark.standard("2640-4-LANG", "2640-4.1-NOARG", "2640-4.1-ANYTIME", "2640-4.2-200", "2640-4.3-FEAT")
def test_lang_at_any_time(ftp_server: FtpServer) -> None:
    with ftp_server.client(login=False) as client:
        for line in ("LANG EN", "LANG en", "lang en-US", "LANG en-AU", "LANG en-GB-oed", "LANG"):
            client.ask(line, 200)
        client.ask(f"USER {ftp_server.user}", 331)
        client.ask("LANG EN", 200)
        client.ask(f"PASS {ftp_server.password}", 230)
        client.ask("LANG EN", 200)
        assert languages(client) == ["EN*"]


@pytest.mark.standard("2640-4.2-SYNTAX", "2640-4.2-501")
@pytest.mark.parametrize(
    "tag", ["e_n", "toolongtag", "en-", "-en", "en--us", "en-toolongsub", "e1", "en us", "é", "en;fr", "*", "en*"]
)
def test_a_bad_tag_is_501(client: Client, tag: str) -> None:
    client.ask(f"LANG {tag}", 501)
    assert languages(client) == ["EN*"]


@pytest.mark.standard("2640-4.2-504", "2640-4.3-STAR")
@pytest.mark.parametrize("tag", ["xx", "fr", "fr-CA", "de", "english", "i-klingon", "abcdefgh-abcdefgh"])
def test_a_language_that_nobody_speaks_is_504_and_the_old_one_stays(client: Client, tag: str) -> None:
    before = client.ask("CWD none", 550).raw
    client.ask(f"LANG {tag}", 504)
    assert languages(client) == ["EN*"]
    assert client.ask("CWD none", 550).raw == before


@pytest.mark.standard("2640-4.1-DEFAULT", "2640-4.1-RESET", "2640-4.1-ONLY-TEXT", "2640-4.3-STAR")
def test_texts_are_english_in_ascii_before_and_after(ftp_server: FtpServer) -> None:
    lines = ("NOOP", "XYZZY", "SYST", "TYPE Q", "HELP", "STAT x", "PWD", "CWD", "LANG xx")
    with ftp_server.client(login=False) as client:

        def texts() -> list[bytes]:
            heard = [client.ask(line).raw for line in lines]
            assert all(one.isascii() for one in heard)
            return heard

        default = texts()
        client.ask("LANG en-GB", 200)
        assert texts() == default
        for line in ("HOST ftp.example.com", "REIN"):
            client.ask("LANG en-US", 200)
            client.ask(line, 220)
            assert languages(client) == ["EN*"]
            assert texts() == default
        client.login(ftp_server.user, ftp_server.password)
        for tag in ("", " EN"):
            # The forms of 227, 229, 257 and 211 are checked by the client.
            client.ask(f"LANG{tag}", 200)
            for line, code in (("PASV", 227), ("EPSV", 229), ("PWD", 257), ("FEAT", 211)):
                client.ask(line, code)


@pytest.mark.standard("2640-4.1-DEFAULT")
def test_the_greeting_is_ascii(ftp_server: FtpServer) -> None:
    with Client(ftp_server.host, ftp_server.port, greeted=False) as client:
        assert client.final().raw.isascii()
