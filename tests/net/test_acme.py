"""ACME against a real server, pebble: both challenges, the account, and all that can go wrong."""

from __future__ import annotations

import socket
import ssl
import stat
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from acme.client import ClientNetwork, ClientV2
from acme.messages import Directory
from cryptography import x509
from requests import Response

from homeport.net.acme import AcmeAuthority, Order, challenge_certificate
from homeport.net.certificates import parse_certificate
from homeport.net.renewal import Issued, IssueFailed, Renewal
from homeport.net.responder import Responder, http_answer
from homeport.net.snapshot import Snapshot

from .pebble import LOOPBACK, Pebble, free_ports, pebble

NAMES = ("ftp.example.test", "files.example.test")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pebble]:
    """One for all tests: each has an account of its own."""
    with pebble(tmp_path_factory.mktemp("pebble")) as one:
        yield one


def wait(seconds: float) -> None:
    threading.Event().wait(min(seconds, 0.1))


def order(running: Pebble, challenge: str = "http-01") -> Order:
    return Order(
        directory_url=running.directory,
        email="admin@example.test",
        challenge=challenge,
        addresses=[LOOPBACK],
        port=running.http_port if challenge == "http-01" else running.tls_port,
        trust=running.trust,
    )


def names_of(issued: Issued) -> tuple[str, ...]:
    return parse_certificate(issued.chain, issued.key, "the chain", "the key").names


@pytest.mark.parametrize("challenge", ["http-01", "tls-alpn-01"])
def test_a_certificate_that_clients_trust(running: Pebble, tmp_path: Path, challenge: str) -> None:
    issued = AcmeAuthority(order(running, challenge), str(tmp_path)).issue(NAMES, wait)
    assert sorted(names_of(issued)) == sorted(NAMES)
    assert stat.S_IMODE((tmp_path / "account.pem").stat().st_mode) == 0o600
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with Snapshot(issued.key + issued.chain) as snapshot:
        server.load_cert_chain(snapshot.path)
    trusting = ssl.create_default_context(cadata=running.root())
    here, there = socket.socketpair()

    def serve() -> None:
        with server.wrap_socket(here, server_side=True) as tls:
            tls.sendall(b"well")

    thread = threading.Thread(target=serve)
    thread.start()
    with trusting.wrap_socket(there, server_hostname=NAMES[1]) as tls:
        assert tls.recv(10) == b"well"
    thread.join(5)
    port = running.http_port if challenge == "http-01" else running.tls_port
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((LOOPBACK, port), 5)


def test_the_account_is_kept_and_the_key_is_new(running: Pebble, tmp_path: Path) -> None:
    first = AcmeAuthority(order(running), str(tmp_path)).issue(NAMES[:1], wait)
    account = (tmp_path / "account.pem").read_bytes()
    second = AcmeAuthority(order(running), str(tmp_path)).issue(NAMES[:1], wait)
    assert (tmp_path / "account.pem").read_bytes() == account
    assert first.key != second.key
    assert first.chain != second.chain


def test_a_nonce_that_is_refused_is_replaced(running: Pebble, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """RFC 8555 §6.5: the request is sent again, with the nonce that came with the refusal."""
    fresh = ClientNetwork._get_nonce
    used: list[str] = []

    def stale(self: ClientNetwork, url: str, new_nonce_url: str) -> str:
        nonce = fresh(self, url, new_nonce_url)
        used.append(nonce)
        # The third request carries the nonce of the second once more.
        return used[1] if len(used) == 3 else nonce

    monkeypatch.setattr(ClientNetwork, "_get_nonce", stale)
    refusals = []
    check = ClientNetwork._check_response

    def checked(response: Response, content_type: str | None = None) -> Response:
        if not response.ok:
            refusals.append(response.json()["type"])
        return check(response, content_type)

    monkeypatch.setattr(ClientNetwork, "_check_response", staticmethod(checked))
    issued = AcmeAuthority(order(running), str(tmp_path)).issue(NAMES[:1], wait)
    assert names_of(issued) == NAMES[:1]
    assert refusals == ["urn:ietf:params:acme:error:badNonce"]


def test_a_server_that_refuses_every_tenth_nonce(tmp_path: Path) -> None:
    """By chance, as pebble does: if it fails at last, it fails as every other failure, and a later try does it."""
    failures = []
    with pebble(tmp_path / "pebble", PEBBLE_WFE_NONCEREJECT="10") as one:
        for _ in range(10):
            try:
                issued = AcmeAuthority(order(one), str(tmp_path)).issue(NAMES[:1], wait)
                break
            except IssueFailed as failure:
                failures.append(str(failure))
    assert names_of(issued) == NAMES[:1]
    assert all("badNonce" in text for text in failures)


def test_a_whole_renewal_ends_in_the_file_that_the_store_reads(running: Pebble, tmp_path: Path) -> None:
    directory = tmp_path / "acme"
    renewal = Renewal(AcmeAuthority(order(running), str(directory)), NAMES, str(directory))
    made = renewal.renew(1000.0, wait)
    assert sorted(made.names) == sorted(NAMES)
    assert not made.self_signed
    assert renewal.certificate() == made
    assert sorted(file.name for file in directory.iterdir()) == ["account.pem", "attempts.json", "certificate.pem"]


# -- what goes wrong ------------------------------------------------------------------------------------------------


def test_a_port_that_is_taken(running: Pebble, tmp_path: Path) -> None:
    said = rf"port {running.http_port}, where http-01 is answered, cannot be opened"
    with Responder([LOOPBACK], running.http_port, http_answer({})), pytest.raises(IssueFailed, match=said):
        AcmeAuthority(order(running), str(tmp_path)).issue(NAMES, wait)


def test_a_name_that_is_not_served_here(running: Pebble, tmp_path: Path) -> None:
    """The answer is where the authority does not look: as behind a router that does not forward the port."""
    wrong = replace(order(running), port=free_ports(1)[0])
    with pytest.raises(IssueFailed, match=r"could not see that these names are served here: ftp\.example\.test \(.+\)"):
        AcmeAuthority(wrong, str(tmp_path)).issue(NAMES[:1], wait)


def test_a_name_that_no_authority_gives_out(running: Pebble, tmp_path: Path) -> None:
    with pytest.raises(IssueFailed, match="the authority refused: "):
        AcmeAuthority(order(running), str(tmp_path)).issue(("a_b.example.test",), wait)


def test_an_authority_that_is_not_there(running: Pebble, tmp_path: Path) -> None:
    gone = replace(order(running), directory_url=f"https://localhost:{free_ports(1)[0]}/dir")
    with pytest.raises(IssueFailed, match="cannot be reached"):
        AcmeAuthority(gone, str(tmp_path)).issue(NAMES, wait)


def test_an_authority_that_nobody_vouches_for(running: Pebble, tmp_path: Path) -> None:
    stranger = replace(order(running), trust=None)
    with pytest.raises(IssueFailed, match=r"(?i)certificate"):
        AcmeAuthority(stranger, str(tmp_path)).issue(NAMES, wait)


def test_what_is_no_directory(running: Pebble, tmp_path: Path) -> None:
    other = replace(order(running), directory_url=f"{running.management}/roots/0")
    with pytest.raises(IssueFailed, match="answers otherwise than ACME"):
        AcmeAuthority(other, str(tmp_path)).issue(NAMES, wait)


def test_a_directory_that_lacks_what_every_one_has(
    running: Pebble, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ClientV2, "get_directory", lambda url, network: Directory({}))
    with pytest.raises(IssueFailed, match="answers otherwise than ACME"):
        AcmeAuthority(order(running), str(tmp_path)).issue(NAMES, wait)


def test_a_broken_account_key_is_never_replaced_silently(running: Pebble, tmp_path: Path) -> None:
    (tmp_path / "account.pem").write_bytes(b"nonsense")
    with pytest.raises(IssueFailed, match=r"account\.pem holds no key of an account"):
        AcmeAuthority(order(running), str(tmp_path)).issue(NAMES, wait)
    assert (tmp_path / "account.pem").read_bytes() == b"nonsense"


def test_who_is_told_to_stop_leaves_no_port_open(running: Pebble, tmp_path: Path) -> None:
    class Over(Exception):
        pass

    def stop(seconds: float) -> None:
        raise Over

    # Nobody answers where the authority looks, so there is something to wait for.
    wrong = replace(order(running), port=free_ports(1)[0])
    with socket.create_server((LOOPBACK, running.http_port)), pytest.raises(Over):
        AcmeAuthority(wrong, str(tmp_path)).issue(NAMES[:1], stop)


def test_what_is_shown_for_a_challenge_is_for_that_name_only() -> None:
    pem = challenge_certificate("ftp.example.test", "token.thumb")
    certificate = x509.load_pem_x509_certificate(pem[pem.index(b"-----BEGIN CERTIFICATE") :])
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["ftp.example.test"]
