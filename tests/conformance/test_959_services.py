"""RFC 959 §4.1.3: files and listings, and the commands around them. ABOR and STAT in a transfer: test_959_abort.py."""

from __future__ import annotations

import os
import re

import pytest
from tests.session.harness import Harness, Troubled

from homeport.testing.client import Client
from homeport.testing.plugin import FtpServer

IMPLEMENTED = re.compile(r"\b[A-Z]{3,4}\b")


def names(octets: bytes) -> list[str]:
    """The lines of NLST; every one has its end."""
    assert octets == b"" or octets.endswith(b"\r\n")
    return octets.decode().split("\r\n")[:-1]


def stou(client: Client, data: bytes, argument: str = "") -> str:
    """The name that STOU gave."""
    moved = client.upload(f"STOU{argument}", data)
    assert moved.complete
    assert moved.preliminary is not None
    found = re.fullmatch(rb"1(?:25|50) FILE: (.+)\r\n", moved.preliminary.raw)
    assert found is not None
    return found[1].decode()


@pytest.mark.standard("959-4.1.3-RETR")
def test_retr_leaves_the_file_as_it_is(ftp_server: FtpServer) -> None:
    file = ftp_server.root / "f"
    file.write_bytes(b"abc")
    os.utime(file, ns=(1, 1_000_000_000))
    with ftp_server.client() as client:
        assert client.retr("f").data == b"abc"
    assert file.read_bytes() == b"abc"
    assert file.stat().st_mtime_ns == 1_000_000_000


@pytest.mark.standard("959-4.1.3-RETR-DIR")
def test_retr_of_what_cannot_be_read(ftp_server: FtpServer) -> None:
    (ftp_server.root / "d").mkdir()
    os.mkfifo(ftp_server.root / "pipe")
    with ftp_server.client() as client:
        for name in ("d", "none", "d/none", "none/f", "/", ".", "pipe"):
            client.ask(f"RETR {name}", 550)


@pytest.mark.standard("959-4.1.3-RETR-DIR")
def test_retr_of_an_unreadable_file(harness: Harness, troubled: Troubled) -> None:
    troubled.put("f", b"secret")
    with harness.client() as client:
        client.ask("SITE CHMOD 000 f", 200)
        client.ask("RETR f", 550)


@pytest.mark.standard("959-4.1.3-STOR")
@pytest.mark.parametrize("old", [None, b"", b"a much longer content than the new one"])
def test_stor_makes_and_replaces(ftp_server: FtpServer, old: bytes | None) -> None:
    if old is not None:
        (ftp_server.root / "f").write_bytes(old)
    with ftp_server.client() as client:
        client.ask("TYPE I", 200)
        assert client.stor("f", b"new").complete
    assert (ftp_server.root / "f").read_bytes() == b"new"


@pytest.mark.standard("959-4.1.3-STOU", "1123-4.1.2.9-STOU")
def test_stou_makes_a_name_that_was_not_there(ftp_server: FtpServer) -> None:
    (ftp_server.root / "d").mkdir()
    with ftp_server.client() as client:
        client.ask("CWD d", 250)
        made = [stou(client, b"%d" % number) for number in range(20)]
        assert len(set(made)) == 20
        for number, name in enumerate(made):
            assert client.retr(name).data == b"%d" % number
    assert len(list((ftp_server.root / "d").iterdir())) == 20


@pytest.mark.standard("959-4.1.3-STOU")
def test_two_stou_at_once_have_two_names(ftp_server: FtpServer) -> None:
    (ftp_server.root / "upload").write_bytes(b"old")
    with ftp_server.client() as one, ftp_server.client() as other:
        ends = [client.connect(client.passive()) for client in (one, other)]
        told = [client.ask("STOU", 150).text for client in (one, other)]
        assert told[0] != told[1]
        for number, (client, data) in enumerate(zip((one, other), ends, strict=True)):
            data.sendall(b"%d" % number)
            data.close()
            assert client.reply().code == 226
        for number, text in enumerate(told):
            assert one.retr(text.removeprefix("FILE: ")).data == b"%d" % number
    assert (ftp_server.root / "upload").read_bytes() == b"old"


@pytest.mark.standard("959-4.1.3-APPE")
def test_appe_appends_or_makes(ftp_server: FtpServer) -> None:
    with ftp_server.client() as client:
        client.ask("TYPE I", 200)
        for content in (b"one", b"onetwo", b"onetwo", b"onetwothree"):
            size = (ftp_server.root / "f").stat().st_size if (ftp_server.root / "f").exists() else 0
            assert client.appe("f", content[size:]).complete
            assert (ftp_server.root / "f").read_bytes() == content


@pytest.mark.standard("959-4.1.3-ALLO")
@pytest.mark.parametrize(
    ("line", "good"),
    [
        ("ALLO 5", True), ("ALLO 0", True), ("ALLO 5 R 80", True), ("ALLO 0 R 80", True), ("allo 5 r 80", True),
        ("ALLO x", False), ("ALLO 5 R", False), ("ALLO 5 80", False), ("ALLO", False), ("ALLO -5", False),
        ("ALLO 5 R x", False), ("ALLO 5 R 80 1", False), ("ALLO 5.0", False),
    ],
)  # fmt: skip
def test_allo(ftp_server: FtpServer, line: str, *, good: bool) -> None:
    with ftp_server.client() as client:
        client.ask(line, *((200, 202) if good else (501,)))
        assert client.stor("f", b"more than five octets\r\n").complete


@pytest.mark.standard("959-4.1.3-RNFR-RNTO", "959-4.1.3-NOOP")
def test_rename_is_two_commands_in_a_row(ftp_server: FtpServer) -> None:
    (ftp_server.root / "f").write_bytes(b"f")
    (ftp_server.root / "d").mkdir()
    with ftp_server.client() as client:
        client.ask("RNTO g", 503)
        for between in ("PWD", "TYPE I", "CWD .", "NONE x", "REST 0"):
            client.ask("RNFR f", 350)
            client.ask(between)
            if between == "NONE x":
                client.ask("RNTO f", 250, 503)
            else:
                client.ask("RNTO g", 503)
        client.ask("RNFR f", 350)
        client.ask("NOOP", 200)  # affects no command before it: the literal reading
        client.ask("RNTO g", 250)
        client.ask("RNTO h", 503)
        client.ask("RNFR g", 350)
        client.ask("RNTO d/h", 250)
        client.ask("RNFR d", 350)
        client.ask("RNTO e", 250)
    assert (ftp_server.root / "e" / "h").read_bytes() == b"f"


@pytest.mark.standard("959-4.1.3-NOOP")
def test_noop_between_rest_and_retr(ftp_server: FtpServer) -> None:
    (ftp_server.root / "f").write_bytes(b"12345")
    with ftp_server.client() as client:
        client.ask("TYPE I", 200)
        data = client.connect(client.passive())
        client.ask("REST 2", 350)
        client.ask("NOOP", 200)
        client.ask("RETR f", 150)
        assert data.makefile("rb").read() == b"345"
        assert client.reply().code == 226


@pytest.mark.standard("959-4.1.3-DELE", "959-4.1.3-RMD", "959-A2-RMD-CODES")
def test_dele_is_for_files_and_rmd_for_directories(ftp_server: FtpServer) -> None:
    (ftp_server.root / "full" / "empty").mkdir(parents=True)
    (ftp_server.root / "f").touch()
    with ftp_server.client() as client:
        for line in ("DELE full", "RMD full", "RMD f", "DELE none", "RMD none", "RMD /", "DELE /", "RMD ."):
            client.ask(line, 550)
        assert (ftp_server.root / "full" / "empty").is_dir()
        client.ask("DELE f", 250)
        client.ask("RMD full/empty", 250)
        client.ask("RMD /full", 250)
    assert list(ftp_server.root.iterdir()) == []


@pytest.mark.standard("959-4.1.3-LIST-DIR", "959-4.1.3-LIST-TYPE", "1123-4.1.2.7-IMPLIED-AN", "959-4.1.3-DATA-ONLY")
@pytest.mark.parametrize("kind", ["A", "I"])
def test_list(ftp_server: FtpServer, kind: str) -> None:
    (ftp_server.root / "d" / "e").mkdir(parents=True)
    (ftp_server.root / "d" / "f").write_bytes(b"12345")
    with ftp_server.client() as client:
        client.ask(f"TYPE {kind}", 200)
        inside = client.list_("d").data
        client.ask("CWD d", 250)
        assert client.list_().data == inside
        assert inside.count(b"\n") == inside.count(b"\r\n") == 2
        assert inside.endswith(b"\r\n")
        (line,) = names(client.list_("f").data)
        assert line.startswith("-rw")
        assert line.split()[4] == "5"
        assert line.endswith(" f")
        assert client.list_("e").data == b""
        client.ask("CDUP", 250)
        assert client.retr("d/f").complete
        assert f"TYPE {kind}".encode() in b" ".join(client.ask("STAT", 211).body)


@pytest.mark.standard("959-4.1.3-NLST", "1123-4.1.2.7-NLST-USABLE")
@pytest.mark.parametrize("argument", [None, "", "d", "/d", "d/", "./d", "/", "d/*", "d/f?le"])
def test_every_line_of_nlst_is_a_name(ftp_server: FtpServer, argument: str | None) -> None:
    for folder in (ftp_server.root, ftp_server.root / "d"):
        folder.mkdir(exist_ok=True)
        for name in ("file", "total 0", "a b", "d:"):
            (folder / name).write_bytes(b"content")
    with ftp_server.client() as client:
        client.ask("TYPE I", 200)
        lines = names(client.nlst(argument or None).data)
        assert lines
        assert all(client.retr(line).data == b"content" for line in lines if line.strip("/") != "d")
        assert [line for line in lines if line.strip("/") == "d"] == (["d"] if argument in (None, "") else
                                                                       ["/d"] if argument == "/" else [])  # fmt: skip


@pytest.mark.standard("959-4.1.3-SITE", "1123-4.1.2.8-SITE")
def test_site_explains_itself(ftp_server: FtpServer) -> None:
    with ftp_server.client() as client:
        for line in ("HELP SITE", "SITE HELP"):
            reply = client.ask(line, 200, 211, 214)
            assert any(b"CHMOD" in one for one in reply.body)
        client.ask("SITE UMASK", 200)
        client.ask("SITE NONE", 500, 501, 502, 504)


@pytest.mark.standard("959-4.1.3-STAT-PATH", "959-4.1.3-DATA-ONLY")
def test_stat_with_a_pathname_lists_on_the_control_connection(ftp_server: FtpServer) -> None:
    (ftp_server.root / "d").mkdir()
    (ftp_server.root / "d" / "f").write_bytes(b"12345")
    with ftp_server.client() as client:
        target = client.passive()
        directory = client.ask("STAT d", 212)
        assert len(directory.body) == 1
        assert directory.body[0].startswith(b" ")
        assert directory.body[0].endswith(b" f")
        file = client.ask("STAT d/f", 213)
        assert len(file.body) == 1
        assert b" 5 " in file.body[0]
        client.ask("STAT none", 450, 550)
        data = client.connect(target)  # the port still waits: STAT has not used it
        client.ask("NLST d", 150)
        assert data.makefile("rb").read() == b"d/f\r\n"
        assert client.reply().code == 226


@pytest.mark.standard("959-4.1.3-STAT-GEN")
def test_stat_tells_all_parameters(ftp_server: FtpServer) -> None:
    with ftp_server.client() as client:
        client.ask("TYPE I", 200)
        text = b" ".join(client.ask("STAT", 211).body).decode()
        for word in ("TYPE I", "STRU F", "MODE S", ftp_server.user, "ata connection"):
            assert word in text
        client.ask("PORT 127,0,0,1,200,1", 200)
        assert "51201" in b" ".join(client.ask("STAT", 211).body).decode()


@pytest.mark.standard("959-4.1.3-HELP")
def test_help_lists_exactly_what_is_implemented(ftp_server: FtpServer) -> None:
    with ftp_server.client() as client:
        listed = {word for line in client.ask("HELP", 211, 214).body for word in IMPLEMENTED.findall(line.decode())}
        assert {"USER", "RETR", "STOR", "LIST", "NOOP"} <= listed
        for verb in sorted(listed):
            assert verb in client.ask(f"HELP {verb}", 211, 214).raw.decode()
        for verb in ("SMNT", "ADAT", "XYZZ", "APSV"):
            assert verb not in listed
            assert client.ask(f"HELP {verb}").code // 100 == 5
        for verb in sorted(listed - {"QUIT"}):
            client.login(ftp_server.user, ftp_server.password)
            moved = client.download(verb) if verb in {"LIST", "NLST", "MLSD"} else client.upload(verb, b"")
            assert moved.final.code not in {500, 502}
            client.ask("REIN", 220)
