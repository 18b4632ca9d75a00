"""FEAT and OPTS (RFC 2389): the list is exact, complete and true, and OPTS changes what it says."""

from __future__ import annotations

import re

import pytest

from homeport.testing.client import Client
from homeport.testing.plugin import FtpServer

VERBS_OF_959 = frozenset({
    "USER", "PASS", "ACCT", "CWD", "CDUP", "SMNT", "REIN", "QUIT", "PORT", "PASV", "TYPE", "STRU", "MODE", "RETR",
    "STOR", "STOU", "APPE", "ALLO", "REST", "RNFR", "RNTO", "ABOR", "DELE", "RMD", "MKD", "PWD", "LIST", "NLST", "SITE",
    "SYST", "STAT", "HELP", "NOOP",
})  # fmt: skip
TWINS = frozenset({"XCWD", "XCUP", "XMKD", "XRMD", "XPWD"})
"""Older than RFC 959, which tells of them in its Appendix II."""
WITHOUT_A_LINE = {
    "FEAT": "RFC 2389 §3.2 excludes itself",
    "OPTS": "goes with FEAT (RFC 2389 §4)",
    "ALGS": "is for gateways, and a server takes no action on it (RFC 6384 §11)",
    "MLSD": "goes with the line MLST (RFC 3659 §7.8)",
    # Their documents (RFC 2228, RFC 4217) list the parameters of AUTH, PBSZ and PROT where TLS is offered.
    "AUTH": "is listed where TLS is offered", "PBSZ": "goes with AUTH", "PROT": "goes with AUTH",
    "ADAT": "goes with AUTH", "CCC": "goes with AUTH", "MIC": "goes with AUTH", "CONF": "goes with AUTH",
    "ENC": "goes with AUTH",
}  # fmt: skip

WORKING = {
    "CLNT": ("CLNT test", 200),
    "CSID": ("CSID Name=test;", 200),
    "EPRT": ("EPRT |3|x|1|", 522),
    "EPSV": ("EPSV", 229),
    "HOST": ("HOST a.example", 503),
    "LANG": ("LANG", 200),
    "LPRT": ("LPRT 5,4,1,2,3,4,2,1,1", 521),
    "LPSV": ("LPSV", 228),
    "MDTM": ("MDTM f", 213),
    "MFF": ("MFF Modify=20020717210715; f", 213),
    "MFMT": ("MFMT 20020717210715 f", 213),
    "MLST": ("MLST f", 250),
    "REST": ("REST 1", 350),
    "SIZE": ("SIZE f", 213),
    "TVFS": ("CWD /", 250),
    "UTF8": ("SIZE é", 213),
}
"""A command that shows that the feature of this label is there, once somebody is logged in, and its answer."""


def features(client: Client) -> list[bytes]:
    """The feature lines without the space before them, as they came."""
    reply = client.ask("FEAT", 211)
    assert all(line.startswith(b" ") for line in reply.body)
    return [line[1:] for line in reply.body]


def label(line: bytes) -> str:
    return line.partition(b" ")[0].decode()


@pytest.mark.standard("2389-3.1-FEAT-NOARG")
def test_feat_takes_no_argument(ftp_server: FtpServer) -> None:
    with ftp_server.client(login=False) as client:
        client.ask("FEAT x", 501)
        client.ask("FEAT", 211)


@pytest.mark.standard("2389-3.1-CASE")
@pytest.mark.parametrize("verb", ["feat", "Feat", "fEAT"])
def test_feat_in_any_case(ftp_server: FtpServer, verb: str) -> None:
    with ftp_server.client(login=False) as client:
        assert client.ask(verb, 211).raw == client.ask("FEAT", 211).raw


@pytest.mark.standard("2389-3.2-FIRST", "2389-3.2-LINES", "2389-3.2-LAST", "X-27")
def test_the_form_of_the_list_is_exact(ftp_server: FtpServer) -> None:
    with ftp_server.client() as client:
        lines = client.ask("FEAT", 211).raw.splitlines(keepends=True)
    assert re.fullmatch(rb"211-[^\r\n]+\r\n", lines[0])
    for line in lines[1:-1]:
        assert re.fullmatch(rb" [\x21-\x7e]+( [\x20-\x7e]+)?\r\n", line), line
    assert re.fullmatch(rb"(?i:211 End)\r\n", lines[-1])


@pytest.mark.standard("2389-3.2-NOT-FEAT", "2389-3.2-ONE-LINE", "2389-3.2-UPPER", "2389-3.2-ORDER", "5797-2.2-PSEUDO")
def test_labels_are_upper_case_and_single_and_none_is_a_pseudo_code(ftp_server: FtpServer) -> None:
    with ftp_server.client() as client:
        lines = features(client)
        labels = [label(line) for line in lines]
        assert len(set(labels)) == len(labels)
        assert labels == [one.upper() for one in labels]
        assert not {"FEAT", "OPTS", "BASE", "SECU", "NAT6", "HIST"} & set(labels)
        assert set(features(client)) == set(lines)


@pytest.mark.standard("2389-3.2-ALL", "X-16")
def test_every_extension_has_its_line(ftp_server: FtpServer) -> None:
    """Every verb of HELP that is not RFC 959's has a line; and the other way round, what has a line works."""
    (ftp_server.root / "f").write_bytes(b"xy")
    (ftp_server.root / "é").touch()
    with ftp_server.client() as client:
        verbs = {word.decode() for line in client.ask("HELP", 214).body for word in line.split()}
        assert verbs >= VERBS_OF_959 - {"SMNT"}
        labels = {label(line) for line in features(client)}
        assert {"EPRT", "EPSV"} <= labels
        assert verbs - VERBS_OF_959 - TWINS - WITHOUT_A_LINE.keys() - labels == set()
        plain = labels - {"AUTH", "PBSZ", "PROT", "CCC"}
        assert plain <= WORKING.keys()
        client.ask("TYPE I", 200)
        for one in sorted(plain):
            line, code = WORKING[one]
            client.ask(line, code)


@pytest.mark.standard("2389-3.2-TRUTH")
@pytest.mark.parametrize("verb", ["HASH", "RANG", "RMDA", "DSIZ", "AVBL", "THMB", "MFCT", "XCRC", "XMD5", "XSHA1"])
def test_what_has_no_line_is_not_there(ftp_server: FtpServer, verb: str) -> None:
    (ftp_server.root / "f").touch()
    with ftp_server.client() as client:
        assert verb not in {label(line) for line in features(client)}
        client.ask(f"{verb} 20020717210715 f", 500, 502)
        assert "MODE Z" not in {line.decode() for line in features(client)}
        client.ask("MODE Z", 504)


@pytest.mark.standard("2389-4-OPTS-NEEDED", "2389-4-OPTS-200")
def test_opts_goes_with_feat(ftp_server: FtpServer) -> None:
    with ftp_server.client() as client:
        client.ask("OPTS MLST Type;", 200)
        client.ask("opts mlst type;size;", 200)


@pytest.mark.standard("2389-4-OPTS-SYNTAX", "2389-4-OPTS-501", "2389-4-OPTS-STATE")
@pytest.mark.parametrize(
    "line", ["OPTS", "OPTS ", "OPTS RETR x", "OPTS FOO", "OPTS FEAT", "OPTS OPTS", "OPTS UTF8 MAYBE", "OPTS MLST a b"]
)
def test_opts_that_cannot_be_is_501_and_changes_nothing(ftp_server: FtpServer, line: str) -> None:
    with ftp_server.client() as client:
        client.ask("OPTS MLST Type;Modify;", 200)
        before = client.ask("FEAT", 211).raw
        client.ask(line, 501)
        assert client.ask("FEAT", 211).raw == before


@pytest.mark.standard("2389-2.2-MULTI")
def test_several_lines_only_where_several_lines_may_stand(ftp_server: FtpServer) -> None:
    """MDTM and SIZE are one line whatever happens; the client checks the form of every multi-line reply."""
    (ftp_server.root / "f").touch()
    with ftp_server.client() as client:
        client.ask("TYPE I", 200)
        for line in ("SIZE f", "SIZE none", "MDTM f", "MDTM none"):
            assert not client.ask(line).multi_line
        for line in ("FEAT", "HELP", "STAT", "STAT /", "MLST /"):
            assert client.ask(line).multi_line


@pytest.mark.standard("D-24")
def test_mlsd_is_announced_by_mlst_alone(ftp_server: FtpServer) -> None:
    with ftp_server.client() as client:
        assert any(label(line) == "MLST" for line in features(client))
        assert client.mlsd().complete
