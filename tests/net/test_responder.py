"""Answering challenges: real sockets, and clients that are no authority."""

from __future__ import annotations

import errno
import hashlib
import socket
import ssl
from collections.abc import Iterator

import pytest
from cryptography import x509

from homeport.net import responder as module
from homeport.net.acme import challenge_certificate
from homeport.net.responder import Responder, http_answer, tls_answer

PATH = "/.well-known/acme-challenge/token"


@pytest.fixture
def http() -> Iterator[int]:
    with Responder(["127.0.0.1"], 0, http_answer({PATH: b"token.thumb"})) as responder:
        yield responder.port


def ask(port: int, request: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), 5) as client:
        client.sendall(request)
        answer = b""
        while octets := client.recv(4096):
            answer += octets
    return answer


@pytest.mark.parametrize(
    ("request_line", "status", "body"),
    [
        (f"GET {PATH} HTTP/1.1", b"200", b"token.thumb"),
        (f"GET {PATH} HTTP/1.0", b"200", b"token.thumb"),
        (f"HEAD {PATH} HTTP/1.1", b"200", b""),
        ("GET / HTTP/1.1", b"404", b"not here\n"),
        (f"GET {PATH}/../x HTTP/1.1", b"404", b"not here\n"),
        (f"POST {PATH} HTTP/1.1", b"404", b"not here\n"),
        ("\x16\x03\x01", b"404", b"not here\n"),
    ],
)
def test_what_is_answered_by_http(http: int, request_line: str, status: bytes, body: bytes) -> None:
    answer = ask(http, f"{request_line}\r\nHost: ftp.example.net\r\n\r\n".encode())
    head, _, rest = answer.partition(b"\r\n\r\n")
    assert head.split()[1] == status
    assert rest == body


def test_a_request_that_comes_in_pieces(http: int) -> None:
    with socket.create_connection(("127.0.0.1", http), 5) as client:
        for piece in (b"GET ", PATH.encode(), b" HTTP/1.1\r\n", b"Host: a\r\n\r\n"):
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            client.sendall(piece)
        assert client.recv(4096).startswith(b"HTTP/1.1 200 ")


def test_an_endless_request_is_not_read_to_its_end(http: int) -> None:
    with socket.create_connection(("127.0.0.1", http), 5) as client:
        client.sendall(b"G" * 8192)
        assert client.recv(4096).startswith(b"HTTP/1.1 404 ")


def test_who_says_nothing_holds_nobody_up(http: int) -> None:
    silent = [socket.create_connection(("127.0.0.1", http), 5) for _ in range(10)]
    assert ask(http, f"GET {PATH} HTTP/1.1\r\n\r\n".encode()).endswith(b"token.thumb")
    for one in silent:
        one.close()


def test_who_drips_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """A time-out of the socket alone would begin anew with every octet."""
    monkeypatch.setattr(module, "CONNECTION_SECONDS", 0.2)
    with (
        Responder(["127.0.0.1"], 0, http_answer({})) as responder,
        socket.create_connection(("127.0.0.1", responder.port), 5) as client,
    ):
        client.settimeout(0.05)
        ended = False
        for _ in range(200):
            try:
                client.sendall(b"x")
                ended = not client.recv(1)
            except TimeoutError:
                continue
            except OSError:
                ended = True
            if ended:
                break
        assert ended


def test_a_crowd_is_turned_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_AT_ONCE", 2)
    with Responder(["127.0.0.1"], 0, http_answer({})) as responder:
        first = [socket.create_connection(("127.0.0.1", responder.port), 5) for _ in range(2)]
        with socket.create_connection(("127.0.0.1", responder.port), 5) as third:
            assert third.recv(1) == b""
        for one in first:
            one.close()


def test_it_does_not_listen_before_nor_after(http: int) -> None:
    with Responder(["127.0.0.1"], 0, http_answer({})) as responder:
        port = responder.port
        client = socket.create_connection(("127.0.0.1", port), 5)
    with client:
        client.settimeout(5)
        assert client.recv(1) == b"", "who is connected is let go"
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), 5)


def test_a_port_that_is_taken_is_told(http: int) -> None:
    with pytest.raises(OSError, match="in use") as caught:
        Responder(["127.0.0.1"], http, http_answer({}))
    assert caught.value.errno == errno.EADDRINUSE


def test_an_address_that_is_not_here_is_left_out() -> None:
    with Responder(["192.0.2.1", "127.0.0.1"], 0, http_answer({PATH: b"x"})) as responder:
        assert ask(responder.port, f"GET {PATH} HTTP/1.1\r\n\r\n".encode()).endswith(b"x")


# -- tls-alpn-01 ----------------------------------------------------------------------------------------------------


def certificate_for(port: int, name: str) -> tuple[x509.Certificate, str | None]:
    """What a client is shown who asks for *name* as an authority does, and the protocol that was agreed on."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["acme-tls/1"])
    with (
        socket.create_connection(("127.0.0.1", port), 5) as plain,
        context.wrap_socket(plain, server_hostname=name) as tls,
    ):
        return x509.load_der_x509_certificate(tls.getpeercert(binary_form=True) or b""), tls.selected_alpn_protocol()


def test_each_name_has_its_certificate() -> None:
    names = {"a.example": "one.thumb", "b.example": "two.thumb"}
    certificates = {name: challenge_certificate(name, text) for name, text in names.items()}
    with Responder(["127.0.0.1"], 0, tls_answer(certificates)) as responder:
        for name, text in names.items():
            certificate, protocol = certificate_for(responder.port, name)
            assert protocol == "acme-tls/1"
            extension = certificate.extensions.get_extension_for_oid(x509.ObjectIdentifier("1.3.6.1.5.5.7.1.31"))
            assert extension.critical
            assert isinstance(extension.value, x509.UnrecognizedExtension)
            assert extension.value.value == b"\x04\x20" + hashlib.sha256(text.encode()).digest()
            alternative = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
            assert alternative.get_values_for_type(x509.DNSName) == [name]
        with pytest.raises(ssl.SSLError, match="UNRECOGNIZED_NAME"):
            certificate_for(responder.port, "c.example")
