"""Downloads over a socket that OpenSSL has itself, as the kernel's encryption needs it.

Whether the kernel takes part depends on the machine; what a client sees does not. So all of this is run on every one.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from dataclasses import replace

import pytest
from tests.session.harness import PASSWORD, USER, Harness

from homeport.accounts.model import Resumption
from homeport.data import kernelstream
from homeport.events.types import DataConnectionFailed
from homeport.net.tls import Chain, Contexts, FileCertificates
from homeport.protocol.path import VirtualPath
from homeport.session.protection import TlsPolicy
from homeport.session.services import Policy
from homeport.storage.base import Access
from homeport.testing.client import Client

from .conftest import read_all, trusting

CONTENT = bytes(range(256)) * 8000
VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


@pytest.fixture
def harness(certificate: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Harness]:
    """Every download of 1000 octets or more goes that way."""
    policy = Policy(data_seconds=5.0, tls=TlsPolicy(kernel_octets=1000, handshake_seconds=1.0))
    used: list[kernelstream.KernelTlsStream] = []
    first = kernelstream.KernelTlsStream.__init__

    def note(self: kernelstream.KernelTlsStream, *arguments: object) -> None:
        used.append(self)
        first(self, *arguments)  # type: ignore[arg-type]  # as they came

    monkeypatch.setattr(kernelstream.KernelTlsStream, "__init__", note)
    with Harness(policy=policy) as harness:
        harness.services = replace(harness.services, tls=Contexts(FileCertificates((Chain(certificate),))))
        for name, content in (("/large", CONTENT), ("/small", b"0123")):
            with harness.storage.open_write(VirtualPath(name), Access.CREATE) as writer:
                writer.write(memoryview(content))
                writer.commit()
        harness.used = used  # type: ignore[attr-defined]
        yield harness


def log_in(harness: Harness, context: ssl.SSLContext | None = None) -> Client:
    client = harness.client(login=False)
    client.protect(context)
    client.login(USER, PASSWORD)
    client.ask("TYPE I", 200)
    return client


def used(harness: Harness) -> int:
    return len(harness.used)  # type: ignore[attr-defined]


@pytest.mark.parametrize("version", VERSIONS)
def test_large_downloads(harness: Harness, version: ssl.TLSVersion) -> None:
    client = log_in(harness, trusting(version))
    for _ in range(3):
        assert client.retr("large").data == CONTENT
        assert client.resumed
    assert client.retr("large", offset=5).data == CONTENT[5:]
    assert used(harness) == 4
    client.resumes = False
    assert client.retr("large").data == CONTENT


def test_everything_else_goes_the_other_way(harness: Harness) -> None:
    client = log_in(harness)
    assert client.retr("small").data == b"0123"
    assert client.mlsd().complete
    assert client.stor("new", CONTENT).complete
    client.ask("TYPE A", 200)
    assert client.retr("large").complete
    assert used(harness) == 0


def test_where_resumption_is_required_it_is_not_used(harness: Harness) -> None:
    policy = harness.services.policy
    required = replace(policy, tls=replace(policy.tls, resumption=Resumption.REQUIRE))
    harness.services = replace(harness.services, policy=required)
    client = log_in(harness)
    assert client.retr("large").data == CONTENT
    assert used(harness) == 0


def test_abort(harness: Harness) -> None:
    client = log_in(harness)
    data = client.connect(client.passive())
    client.ask("RETR large", 150)
    tls = client.secure(data)
    tls.recv(100)
    client.command("ABOR")
    assert client.reply().code in {226, 426}  # 226 where all of it fitted into the system's buffers
    assert client.reply().code == 226
    assert used(harness) == 1


@pytest.mark.parametrize("said", [b"plain text\r\n", b"GET / HTTP/1.1\r\n", b"\x16\x03\x01\x00\x05hello", b"", None])
def test_handshakes_that_fail(harness: Harness, said: bytes | None) -> None:
    client = log_in(harness)
    data = client.connect(client.passive())
    client.ask("RETR large", 150)
    if said is None:
        pass  # nothing at all, until the deadline
    elif said:
        data.sendall(said)
    else:
        data.close()
    assert client.reply().code == 522
    (failed,) = (event for event in harness.events if isinstance(event, DataConnectionFailed))
    plain = said is not None and said[:1].isalpha()
    assert failed.diagnosis == ("plain-on-tls" if plain else "tls-failed")
    assert client.retr("large").data == CONTENT


def test_abort_in_the_handshake(harness: Harness) -> None:
    client = log_in(harness)
    client.connect(client.passive())
    client.ask("RETR large", 150)
    client.ask("NOOP", 200)
    client.command("ABOR")
    assert client.reply().code == 426
    assert client.reply().code == 226


def test_a_client_that_leaves(harness: Harness) -> None:
    client = log_in(harness)
    data = client.connect(client.passive())
    client.ask("RETR large", 150)
    client.secure(data).close()
    assert client.reply().code in {226, 426}  # 226 where all of it fitted into the system's buffers
    assert client.retr("large").data == CONTENT


def test_the_end_is_a_close_notify(harness: Harness) -> None:
    client = log_in(harness)
    data = client.connect(client.passive())
    client.ask("RETR large", 150)
    assert read_all(client.secure(data)) == CONTENT
    assert client.reply().code == 226
