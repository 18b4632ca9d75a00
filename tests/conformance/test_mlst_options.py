"""FEAT and OPTS for MLST: which facts there are and which are sent (RFC 3659 §7.8, §7.9)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from homeport.testing.client import Client
from homeport.testing.plugin import FtpServer

from .entries import described, listed


def offered(client: Client) -> dict[str, bool]:
    """The facts of the FEAT line, and whether they carry the asterisk."""
    lines = [line for line in client.ask("FEAT", 211).body if line.upper().startswith(b" MLST")]
    assert len(lines) == 1
    assert re.fullmatch(rb" MLST( ([^ ;*]+\*?;)+)?", lines[0])
    facts = lines[0].decode()[len(" MLST ") :].split(";")[:-1]
    return {fact.rstrip("*").lower(): fact.endswith("*") for fact in facts}


def selected(client: Client) -> set[str]:
    return {fact for fact, chosen in offered(client).items() if chosen}


def choose(client: Client, line: str) -> set[str]:
    """The facts that the 200 to *line* tells."""
    reply = client.ask(line, 200)
    assert re.fullmatch(rb"(?i)200 MLST OPTS( ([^ ;]+;)+)?\r\n", reply.raw)
    return {fact.lower() for fact in reply.text[len("MLST OPTS") :].strip(" ").split(";") if fact}


@pytest.mark.standard("3659-7.8-FEAT", "3659-7.5.10-SET", "W-06")
def test_feat_lists_the_facts(client: Client, root: Path) -> None:
    facts = offered(client)
    assert {"type", "perm", "size", "unique", "modify"} <= set(facts)
    (root / "f").touch()
    assert set(described(client.ask("MLST f")).facts) == selected(client)


@pytest.mark.standard("3659-7.8-NO-MLSD", "D-24")
def test_feat_has_no_line_for_mlsd(client: Client) -> None:
    assert not [line for line in client.ask("FEAT", 211).body if line.upper().startswith(b" MLSD")]


@pytest.mark.standard("3659-7.8-LIVE", "3659-7.9-OPTS", "3659-7.9-ONLY", "3659-7.9.1-RESP", "3659-7.5-NAMES")
@pytest.mark.parametrize(
    ("line", "facts"),
    [
        ("OPTS MLST type;size;", {"type", "size"}),
        ("OPTS MLST Size;Type;", {"type", "size"}),
        ("opts mlst SIZE;", {"size"}),
        ("OptS MlSt uNiQuE;pErM;", {"unique", "perm"}),
        ("OPTS MLST modify;modify;", {"modify"}),
        ("OPTS MLST unix.MODE;", {"unix.mode"}),
        ("OPTS MLST UNIX.owner;UNIX.group;UNIX.uid;UNIX.gid;", {"unix.owner", "unix.group", "unix.uid", "unix.gid"}),
    ],
)
def test_a_selection_replaces_the_former_one(client: Client, root: Path, line: str, facts: set[str]) -> None:
    (root / "f").touch()
    before = offered(client)
    choose(client, "OPTS MLST perm;")
    assert choose(client, line) == facts
    after = offered(client)
    assert (list(after), {fact for fact in after if after[fact]}) == (list(before), facts)
    assert set(described(client.ask("MLST f")).facts) == facts
    assert set(listed(client.mlsd())[b"f"].facts) == facts


@pytest.mark.standard("3659-7.8-LIVE", "3659-7.9-OPTS")
def test_all_facts_that_are_offered_can_be_had(client: Client, root: Path) -> None:
    (root / "f").touch()
    for fact in offered(client):
        assert choose(client, f"OPTS MLST {fact};") == {fact}
        assert set(described(client.ask("MLST f")).facts) == {fact}
    everything = set(offered(client))
    assert choose(client, f"OPTS MLST {';'.join(everything)};") == everything
    assert set(listed(client.mlsd())[b"f"].facts) == everything


@pytest.mark.standard("3659-7.9-IGNORE", "3659-7.5.4-CREATE", "3659-7.5.6-LANG", "3659-7.5.8-MEDIA")
def test_facts_that_are_not_offered_are_passed_over(client: Client, root: Path) -> None:
    (root / "f.html").touch()
    assert choose(client, "OPTS MLST size;frogs;") == {"size"}
    assert choose(client, "OPTS MLST lang;type;charset;create;media-type;x.ours;") == {"type"}
    assert set(described(client.ask("MLST f.html")).facts) == {"type"}
    assert choose(client, "OPTS MLST frogs;") == set()
    assert set(described(client.ask("MLST f.html")).facts) == set()


@pytest.mark.standard("3659-7.9-EMPTY", "3659-7.2-NOFACTS")
def test_without_facts_the_space_stays(client: Client, root: Path) -> None:
    (root / " f").touch()
    assert choose(client, "OPTS MLST") == set()
    assert client.ask("MLST  f", 250).body == (b"  / f",)
    assert client.mlsd().data == b"  f\r\n"
    assert selected(client) == set()


@pytest.mark.standard("3659-7.9-501")
@pytest.mark.parametrize(
    "facts", ["unique type;", "type; size;", "type;;", ";", "type", "type;size", "caf\u00e9;", "a=b;"]
)
def test_a_list_that_is_none_changes_nothing(client: Client, facts: str) -> None:
    choose(client, "OPTS MLST size;perm;")
    client.ask(f"OPTS MLST {facts}", 501)
    assert selected(client) == {"size", "perm"}


@pytest.mark.standard("3659-7.9-NO-OPTS-MLSD", "3659-6.4-NOOPTS")
def test_there_are_no_such_options(client: Client) -> None:
    for line in ("OPTS MLSD size;", "OPTS MLSD", "OPTS TVFS", "OPTS TVFS x", "OPTS SIZE", "OPTS MDTM", "OPTS REST"):
        client.ask(line, 501)


@pytest.mark.standard("3659-11-PRELOGIN")
def test_the_same_facts_are_offered_before_login(ftp_server: FtpServer) -> None:
    with ftp_server.client(login=False) as client:
        before = client.ask("FEAT", 211).body
        client.login(ftp_server.user, ftp_server.password)
        assert client.ask("FEAT", 211).body == before


@pytest.mark.standard("3659-7.9-PREAUTH")
def test_a_selection_before_login_holds(ftp_server: FtpServer) -> None:
    (ftp_server.root / "f").touch()
    with ftp_server.client(login=False) as client:
        assert choose(client, "OPTS MLST size;") == {"size"}
        client.login(ftp_server.user, ftp_server.password)
        assert set(described(client.ask("MLST f")).facts) == {"size"}


@pytest.mark.standard("3659-7.9-OPTS")
def test_a_selection_is_this_session_s_own(ftp_server: FtpServer, client: Client) -> None:
    choose(client, "OPTS MLST size;")
    with ftp_server.client() as other:
        assert "type" in selected(other)
