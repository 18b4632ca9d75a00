"""RFC 959 §2.3, §4.1, §5.3: the control connection, the syntax of commands, and what they are cut from."""

from __future__ import annotations

import pytest

from homeport.server.config import Config
from homeport.testing.client import Client
from homeport.testing.plugin import FtpServer

ARGUMENT = (
    "USER", "PASS", "ACCT", "CWD", "PORT", "TYPE", "STRU", "MODE", "RETR", "STOR", "APPE", "ALLO", "REST", "RNFR",
    "RNTO", "DELE", "RMD", "MKD", "SITE",
)  # fmt: skip
NO_ARGUMENT = ("CDUP", "REIN", "PASV", "ABOR", "PWD", "SYST", "NOOP")

ODD_NAMES = (
    " a  b ", "  ", " .", ".. ", "a\tb", 'say "hi"', "-la", "~root", "$(id)", "a;b|c&d", "*", "[x]", "\\", "\x7f",
    "\x01", "'", "a%20b", "!", "#", "@", "ä€", "CON", "a\x1b[31m",
)  # fmt: skip


@pytest.mark.standard("959-8-PORT21")
def test_the_port_is_21_and_can_be_another(ftp_server: FtpServer) -> None:
    assert Config().listen.port == 21
    assert Config().data.source_port(21) == 20
    with Client(ftp_server.host, ftp_server.port) as client:
        client.ask("NOOP", 200)


@pytest.mark.standard("959-5.3-CASE")
def test_verbs_and_codes_are_of_any_case(ftp_server: FtpServer) -> None:
    (ftp_server.root / "f").write_bytes(b"a\n")
    with ftp_server.client() as client:
        for line in ("nOoP", "type i", "TyPe a n", "type A t", "type l 8", "sTrU f", "mode s", "type I"):
            client.ask(line, 200)
        assert client.download("rEtR f").data == b"a\n"


@pytest.mark.standard("959-5.3-VERB-LEN")
@pytest.mark.parametrize("line", ["RETRf", "RETR\tf", "NOOPX", "NO", "NOOP\t", " NOOP", "R"])
def test_what_is_no_verb_is_unknown(ftp_server: FtpServer, line: str) -> None:
    (ftp_server.root / "f").touch()
    with ftp_server.client() as client:
        client.ask(line, 500)
        client.ask("NOOP", 200)


@pytest.mark.standard("959-5.3-NO-ACTION")
@pytest.mark.parametrize("end", [b"", b"\r"])
def test_nothing_is_done_before_the_end_of_the_line(ftp_server: FtpServer, end: bytes) -> None:
    (ftp_server.root / "f").touch()
    with ftp_server.client() as client:
        client.send(b"DELE f" + end)
        assert not client.pending(0.1)
        assert (ftp_server.root / "f").exists()
        client.shut()
        client.end()
    assert (ftp_server.root / "f").exists()


@pytest.mark.standard("959-5.3-NO-ACTION")
def test_half_a_command_and_a_reset(ftp_server: FtpServer) -> None:
    (ftp_server.root / "f").touch()
    client = ftp_server.client()
    client.send(b"DELE f\r")
    client.reset()
    ftp_server.server.stop()
    assert (ftp_server.root / "f").exists()


@pytest.mark.standard("959-5.3-SPACES")
@pytest.mark.parametrize("line", ["TYPE  I", "TYPE I ", "TYPE  A  N", "MODE   S", "STRU  F", "ALLO  1", "USER  test "])
def test_more_spaces_before_what_is_no_pathname(ftp_server: FtpServer, line: str) -> None:
    with ftp_server.client() as client:
        assert client.ask(line).positive


@pytest.mark.standard("959-5.3.1-NOARG")
@pytest.mark.parametrize("verb", NO_ARGUMENT)
def test_an_argument_too_many(ftp_server: FtpServer, verb: str) -> None:
    """501, or as if it were not there; never something else."""
    with ftp_server.client() as client:
        plain = client.ask(verb)
        client.login(ftp_server.user, ftp_server.password)
        assert client.ask(f"{verb} x").code in {plain.code, 501}
        client.login(ftp_server.user, ftp_server.password)
        assert client.ask("PWD", 257).text.startswith('"/"')


@pytest.mark.standard("959-5.3.1-NOARG")
def test_quit_with_an_argument(ftp_server: FtpServer) -> None:
    with ftp_server.client() as client:
        if client.ask("QUIT x", 221, 501).code == 221:
            client.end()
        else:
            client.ask("NOOP", 200)


@pytest.mark.standard("959-5.3.1-NEEDARG")
@pytest.mark.parametrize("verb", ARGUMENT)
@pytest.mark.parametrize("line", ["{}", "{} "])
def test_an_argument_that_is_missing(ftp_server: FtpServer, verb: str, line: str) -> None:
    with ftp_server.client() as client:
        client.ask("TYPE I", 200)
        before = client.ask("STAT", 211).body
        if verb == "RNTO":
            client.ask("MKD d", 257)
            client.ask("RNFR d", 350)
        if (verb, line) == ("PASS", "{} "):
            client.ask("PASS ", 501, 503)  # an empty password, and USER has not come
        else:
            client.ask(line.format(verb), 501)
        assert client.ask("STAT", 211).body == before


@pytest.mark.standard("959-5.3.1-NEEDARG")
def test_smnt_without_an_argument(ftp_server: FtpServer) -> None:
    with ftp_server.client() as client:
        client.ask("SMNT", 501, 502)  # not implemented with or without one


@pytest.mark.standard("959-5.3.1-OPTARG")
def test_an_argument_that_may_be_missing(ftp_server: FtpServer) -> None:
    (ftp_server.root / "d").mkdir()
    (ftp_server.root / "d" / "f").touch()
    with ftp_server.client() as client:
        for verb in ("LIST", "NLST"):
            assert client.download(verb).data.endswith(b"d\r\n")
            assert client.download(f"{verb} d").data.endswith(b"f\r\n")
        client.ask("STAT", 211)
        client.ask("STAT d", 212)
        client.ask("HELP", 214)
        client.ask("HELP NOOP", 214)


@pytest.mark.standard("959-5.3.2-STRING")
@pytest.mark.parametrize("name", ODD_NAMES)
def test_names_of_all_characters(ftp_server: FtpServer, name: str) -> None:
    with ftp_server.client() as client:
        client.ask("TYPE I", 200)
        assert client.stor(name, name.encode()).complete
        assert [one.name for one in ftp_server.root.iterdir()] == [name]
        assert client.retr(name).data == name.encode()
        assert client.nlst().data == name.encode() + b"\r\n"
        client.ask(f"RNFR {name}", 350)
        client.ask("RNTO plain", 250)
        client.ask(f"MKD {name}", 257)
        client.ask(f"CWD {name}", 250)
        quoted = '"/' + name.replace('"', '""') + '"'
        assert client.ask("PWD", 257).text.startswith(quoted)
        client.ask("CDUP", 250)
        client.ask(f"RMD {name}", 250)
        client.ask("DELE plain", 250)
    assert list(ftp_server.root.iterdir()) == []


@pytest.mark.standard("959-5.3.2-STRING")
def test_every_character_in_a_name(ftp_server: FtpServer) -> None:
    with ftp_server.client() as client:
        for octet in set(range(1, 128)) - set(b"\r\n/"):
            name = b"a%cb" % octet
            assert client.stor(name, b"x").complete
            client.ask(b"DELE " + name, 250)


@pytest.mark.standard("959-4.1-TELNET-EOL", "1123-4.1.2.10-READ")
def test_cr_and_lf_in_two_segments_end_one_command(ftp_server: FtpServer) -> None:
    with ftp_server.client() as client:
        client.send(b"NOOP\r", "NOOP")
        assert not client.pending(0.1)
        client.send(b"\n")
        assert client.reply().code == 200
        assert not client.pending(0.1)


@pytest.mark.standard("1123-4.1.2.10-READ")
def test_one_octet_a_segment(ftp_server: FtpServer) -> None:
    with ftp_server.client() as client:
        octets = b"MKD a b\r\nPWD\r\n"
        for at in range(len(octets) - 1):
            client.send(octets[at : at + 1])
        client.send(octets[-1:], "MKD", "PWD")
        assert client.reply().text.startswith('"/a b"')
        assert client.reply().code == 257


@pytest.mark.standard("959-5.4-SYST-PRELOGIN")
def test_what_works_before_login(ftp_server: FtpServer) -> None:
    with ftp_server.client(login=False) as client:
        client.ask("HELP", 211, 214)
        client.ask("HELP RETR", 211, 214)
        client.ask("NOOP", 200)
        client.ask("SYST", 215)
        client.ask("ABOR", 225, 226)
        client.ask("REIN", 220)
        client.quit()


@pytest.mark.standard("959-5.1-MINIMUM")
def test_the_minimum_implementation(ftp_server: FtpServer) -> None:
    (ftp_server.root / "f").write_bytes(b"f\n")
    with ftp_server.client(login=False) as client:
        client.ask(f"USER {ftp_server.user}", 331)
        client.ask(f"PASS {ftp_server.password}", 230)
        for line in ("TYPE A N", "MODE S", "STRU F", "NOOP", "PORT 127,0,0,1,200,1"):
            client.ask(line, 200)
        client.ask("STRU R", 200, 504)
        assert client.retr("f").complete
        assert client.stor("g", b"g\r\n").complete
        client.quit()
