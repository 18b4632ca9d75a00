"""What reasons.toml says of refused features is so: each "`COMMAND` answers NNN" is asked of a server."""

from __future__ import annotations

import re

import pytest

import conformance
from homeport.testing.plugin import FtpServer

REASONS = conformance.read_reasons(conformance.REASONS.read_text("utf-8"))
CLAIMS = sorted(
    {
        (command, int(code))
        for reason in REASONS["not offered"].values()
        for command, code in re.findall(r"`([^`]+)` answers (\d{3})", reason)
    }
)


def test_there_are_claims() -> None:
    assert ("MODE B", 504) in CLAIMS


@pytest.mark.parametrize(("command", "code"), CLAIMS)
def test_what_is_not_offered_is_refused_as_the_reason_says(ftp_server: FtpServer, command: str, code: int) -> None:
    with ftp_server.client() as client:
        client.ask(command, code)
        client.ask("NOOP", 200)
