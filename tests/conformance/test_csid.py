"""CSID: client and server tell each other who they are (draft-peterson-streamlined-ftp-command-extensions §6, §7)."""

from __future__ import annotations

import re

import pytest

import homeport
from homeport.testing.client import Client
from homeport.testing.plugin import FtpServer

from .conftest import Configured

_FACTS = re.compile(r"(?:[A-Za-z.]+=[^;]*; ?)+")


def told(client: Client, line: str) -> dict[str, str]:
    reply = client.ask(line, 200)
    assert not reply.multi_line
    assert _FACTS.fullmatch(reply.text), reply
    return dict(fact.strip().split("=", 1) for fact in reply.text.split(";")[:-1])


@pytest.mark.standard("STRM-6.1-CSID")
@pytest.mark.parametrize(
    "line",
    [
        "CSID Name=Client; Version=1.0.0.1;",
        "csid name=Client;version=1;",
        "CSID Version=1;Name=Client; Vendor=Acme, Inc.;",
        "CSID Name=\u00fc \u20ac=x; Version=;",
    ],
)
def test_both_sides_introduce_themselves(client: Client, line: str) -> None:
    facts = told(client, line)
    assert facts.pop("CaseSensitive") in {"0", "1"}
    assert facts == {"Name": "Homeport", "Version": homeport.__version__}


@pytest.mark.standard("STRM-6.1-CSID")
def test_names_are_case_sensitive_if_the_server_says_so(client: Client) -> None:
    sensitive = told(client, "CSID Name=a; Version=1;")["CaseSensitive"] == "1"
    client.ask("MKD name", 257)
    assert (client.ask("MKD NAME").code == 257) == sensitive


@pytest.mark.standard("STRM-6.2-IGNORE")
@pytest.mark.parametrize(
    "line", ["CSID Foo=1;", "CSID Name=a;", "CSID Version=1;", "CSID", "CSID ", "CSID hello", "CSID =;;=;", "CSID ;"]
)
def test_whatever_is_said_is_no_error(client: Client, line: str) -> None:
    assert "CaseSensitive" in told(client, line)


@pytest.mark.standard("STRM-6-CSID-LOGIN")
def test_only_who_is_logged_in_hears_it(ftp_server: FtpServer) -> None:
    with ftp_server.client(login=False) as client:
        client.ask("CSID Name=Client; Version=1;", 530)
        client.ask("CSID", 530)
        client.login(ftp_server.user, ftp_server.password)
        told(client, "CSID Name=Client; Version=1;")


@pytest.mark.standard("STRM-6.3-FEAT")
def test_feat_names_it(client: Client) -> None:
    assert [line for line in client.ask("FEAT", 211).body if re.match(rb" CSID( |\Z)", line)]


@pytest.mark.standard("STRM-7-CSID-CONF")
def test_what_is_optional_can_be_kept_back(configured: Configured) -> None:
    server = configured({"server": {"identify": False}})
    with server.client() as client:
        assert re.fullmatch(r"CaseSensitive=[01];", client.ask("CSID Name=Client; Version=1;", 200).text)
        for line in ("STAT", "HELP", "SYST", "FEAT"):
            assert b"homeport" not in client.ask(line).raw.lower()
