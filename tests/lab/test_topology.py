"""The lab itself: what is put up comes down, whatever happens, and labs do not meet."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from . import topology
from .layout import CLIENTS, SERVERS, Layout
from .namespaces import left, sweep
from .topology import Lab

pytestmark = pytest.mark.usefixtures("lab_allowed")


@contextmanager
def _greeting(lab: Lab, word: bytes) -> Iterator[None]:
    """Somebody at the control port who says *word* to the first that comes."""
    with lab.inside_of("server"):
        listener = socket.create_server(("", 21))

    def answer() -> None:
        with listener.accept()[0] as connection:
            connection.sendall(word)

    thread = threading.Thread(target=answer)
    thread.start()
    try:
        yield
    finally:
        thread.join(10)
        listener.close()


@pytest.mark.parametrize(
    ("client", "server"), [*((client, "public") for client in CLIENTS), *(("public", server) for server in SERVERS)]
)
def test_every_side_can_be_built_and_leaves_nothing(client: str, server: str) -> None:
    with Lab(Layout(client, server)):
        assert len(left()) >= 5
    assert left() == []


def test_a_failure_in_the_lab_leaves_nothing() -> None:
    with pytest.raises(ZeroDivisionError), Lab(Layout("nat", "nat_21")):
        raise ZeroDivisionError
    assert left() == []


def test_a_lab_that_cannot_be_built_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(topology, "router", lambda *_, **__: "no rule at all")
    with pytest.raises(RuntimeError, match="nft refuses at client_router"), Lab(Layout("nat", "nat_21")):
        pytest.fail("it was built")
    assert left() == []


def test_labs_with_the_same_addresses_do_not_meet() -> None:
    def greet(lab: Lab) -> bytes:
        with lab.inside_of("client"), socket.create_connection((lab.outside, lab.port), 10) as connection:
            return connection.recv(10)

    with Lab(Layout("nat", "public")) as one, Lab(Layout("nat", "public")) as other:
        assert one.outside == other.outside
        with _greeting(one, b"one"), _greeting(other, b"other"):
            assert (greet(one), greet(other)) == (b"one", b"other")


def test_a_thread_comes_back_from_where_it_was() -> None:
    before = os.readlink("/proc/thread-self/ns/net")
    with Lab(Layout("public", "public")) as lab:
        with lab.inside_of("client"):
            assert os.readlink("/proc/thread-self/ns/net") != before
        with pytest.raises(ZeroDivisionError), lab.inside_of("client"):
            raise ZeroDivisionError
        assert os.readlink("/proc/thread-self/ns/net") == before


def test_what_a_killed_run_left_is_swept_away() -> None:
    gone = subprocess.run(["sh", "-c", "echo $$"], capture_output=True, text=True, check=True).stdout.strip()
    name = f"hplab{gone}-0-client"
    subprocess.run(["ip", "netns", "add", name], check=True)
    with Lab(Layout("public", "public")):
        sweep()
        assert not os.path.exists(f"/run/netns/{name}")
        assert len(left()) == 5, "a lab of a living run stays"
