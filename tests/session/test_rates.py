"""Rates from the configuration reach the transfer, plain and through the same gate for uploads."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

import homeport
from homeport.server.config import Config, DataOptions, ListenOptions, RateOptions, UserOptions
from homeport.testing.client import Client

_RATE = 400_000
_OCTETS = 200_000


def _config(home: Path, rates: RateOptions, of_user: dict[str, int]) -> Config:
    user = UserOptions(
        name="bob",
        password="plain:secret",
        home=str(home),
        download=of_user.get("download", 0),
        upload=of_user.get("upload", 0),
    )
    return Config(
        listen=ListenOptions(addresses=("127.0.0.1",), port=0),
        data=DataOptions(passive_ports=None, active_port=0),
        rates=rates,
        users=(user,),
    )


@pytest.mark.parametrize(
    ("rates", "of_user"),
    [
        (RateOptions(session_download=_RATE, session_upload=_RATE), {}),
        (RateOptions(server_download=_RATE, server_upload=_RATE), {}),
        (RateOptions(), {"download": _RATE, "upload": _RATE}),
    ],
)
def test_a_limit_slows_both_directions(tmp_path: Path, rates: RateOptions, of_user: dict[str, int]) -> None:
    (tmp_path / "file").write_bytes(b"x" * _OCTETS)
    with (
        homeport.Server(config=_config(tmp_path, rates, of_user)) as server,
        Client(server.host, server.port) as client,
    ):
        client.login("bob", "secret")
        client.ask("TYPE I", 200)
        began = time.monotonic()
        assert client.retr("file").data == b"x" * _OCTETS
        between = time.monotonic()
        assert client.stor("other", b"y" * _OCTETS).complete
        # A lower bound only, with the credit of a fresh bucket taken off: a busy machine may take longer.
        least = _OCTETS / _RATE - 0.25
        assert between - began >= least
        assert time.monotonic() - between >= least
    assert (tmp_path / "other").read_bytes() == b"y" * _OCTETS
