"""Every client moves the whole tree of awkward names, down and up, on every way that it knows, octet by octet."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

from .clients import CLIENTS, WAYS, Client, Job, Way
from .tree import TRAITS, differences, plant, without

if TYPE_CHECKING:
    from homeport.testing.plugin import FtpServer

Prepare = Callable[..., "tuple[FtpServer, Job]"]


def _cases(direction: str) -> Iterator[object]:
    for client in CLIENTS:
        if getattr(client, direction) is not None:
            for way in WAYS:
                if way not in client.lacks:
                    yield pytest.param(client, way, id=f"{client.name}-{way}")


@pytest.mark.parametrize(("client", "way"), list(_cases("down")))
def test_download_of_the_tree(prepare: Prepare, client: Client, way: Way) -> None:
    entries = without({**client.cannot, **client.cannot_down})
    server, job = prepare(client.program, way, entries)
    plant(os.fsencode(server.root) + b"/tree", entries)
    os.mkdir(job.local)
    assert client.down is not None
    client.down(job)
    assert differences(job.local, entries) == []


@pytest.mark.parametrize(("client", "way"), list(_cases("up")))
def test_upload_of_the_tree(prepare: Prepare, client: Client, way: Way) -> None:
    entries = without({**client.cannot, **client.cannot_up})
    server, job = prepare(client.program, way, entries)
    plant(job.local, entries)
    assert client.up is not None
    client.up(job)
    assert differences(os.fsencode(server.root) + b"/tree", entries) == []
    assert os.listdir(server.root) == ["tree"]


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)
def test_what_a_client_cannot_is_a_trait_of_the_tree(client: Client) -> None:
    """A misspelled trait would leave its entry in, an old one would hide that nothing is excluded any more."""
    assert {*client.cannot, *client.cannot_down, *client.cannot_up} <= TRAITS
    assert len(client.lacks) < len(WAYS)


def test_every_name_is_moved_by_several_clients() -> None:
    for trait in TRAITS:
        movers = [c.name for c in CLIENTS if trait not in {*c.cannot, *c.cannot_down, *c.cannot_up}]
        assert len(movers) >= 5, f"{trait}: {movers}"
