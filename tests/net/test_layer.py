from __future__ import annotations

import ssl

import pytest
from tests.net.test_tls import client_context, shake_hands
from tests.tls.authority import Authority

from homeport.net.layer import HandshakeError, Layer, NotTls, Parting
from homeport.net.tls import Chain, Contexts, FileCertificates


@pytest.fixture(scope="module")
def contexts(tmp_path_factory: pytest.TempPathFactory) -> Contexts:
    certificate = Authority(tmp_path_factory.mktemp("certificates")).issue("ftp.test", "ftp.test")
    return Contexts(FileCertificates((Chain(certificate),)))


class Ends:
    """Both ends of one connection."""

    def __init__(self, contexts: Contexts) -> None:
        self.layer = contexts.control("192.0.2.1", None)
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.client = client_context().wrap_bio(self.incoming, self.outgoing)
        complete = False
        while not complete:
            try:
                self.client.do_handshake()
            except ssl.SSLWantReadError:
                pass
            complete = self.layer.handshake(self.outgoing.read())
            self.incoming.write(self.layer.outgoing.read())

    def says(self, *texts: bytes) -> bytes:
        """What the client's end sends for *texts*."""
        for text in texts:
            self.client.write(text)
        return self.outgoing.read()

    def ends(self) -> bytes:
        with pytest.raises(ssl.SSLWantReadError):
            self.client.unwrap()
        return self.outgoing.read()


@pytest.fixture
def ends(contexts: Contexts) -> Ends:
    return Ends(contexts)


def test_octets_both_ways(ends: Ends) -> None:
    assert ends.layer.decrypt(ends.says(b"hello")) == b"hello"
    assert ends.layer.decrypt(ends.says(b"a", b"b", b"c" * 40_000)) == b"ab" + b"c" * 40_000
    ends.incoming.write(ends.layer.encrypt(b"world"))
    assert ends.client.read(100) == b"world"


def test_any_split_of_the_octets(ends: Ends) -> None:
    octets = ends.says(b"first", b"second")
    said = b"".join(ends.layer.decrypt(octets[at : at + 1]) for at in range(len(octets)))
    assert said == b"firstsecond"


def test_the_end(ends: Ends) -> None:
    assert ends.layer.decrypt(ends.says(b"last words") + ends.ends()) == b"last words"
    assert ends.layer.ended
    assert ends.layer.decrypt(b"") == b""


def test_our_end(ends: Ends) -> None:
    ends.incoming.write(ends.layer.close_notify())
    assert ends.client.read(100) == b""
    assert ends.layer.close_notify() == b""  # once is enough


def test_forged_octets(ends: Ends) -> None:
    with pytest.raises(OSError, match=r"MAC|mac"):
        ends.layer.decrypt(b"\x17\x03\x03\x00\x30" + b"x" * 48)


@pytest.mark.parametrize("octets", [b"USER x\r\n", b"\x15\x03\x01\x00\x02\x02\x28", b"\x80\x2e\x01", b"GET / HTTP/1.1"])
def test_what_is_no_hello(contexts: Contexts, octets: bytes) -> None:
    with pytest.raises(NotTls):
        contexts.control("192.0.2.1", None).handshake(octets)


def test_a_broken_hello(contexts: Contexts) -> None:
    layer = contexts.control("192.0.2.1", None)
    assert not layer.handshake(b"\x16\x03\x01")
    with pytest.raises(HandshakeError):
        layer.handshake(b"\x00\x05hello")
    assert layer.outgoing.read()[:1] == b"\x15"  # the alert


def test_what_is_known_of_a_handshake(contexts: Contexts) -> None:
    layer = contexts.control("192.0.2.1", None)
    shake_hands(layer, client_context(), name="FTP.test")
    assert layer.server_name == "ftp.test"
    assert layer.description.startswith("TLSv1.3, TLS_")
    assert layer.client_certificate() is None


# -- the way back to clear text -----------------------------------------------------------------------------------


def parted(ends: Ends) -> Parting:
    ends.incoming.write(ends.layer.close_notify())
    return Parting(ends.layer)


def feed(parting: Parting, octets: bytes, step: int) -> bytes:
    return b"".join(parting.decrypt(octets[at : at + step]) for at in range(0, len(octets), step))


@pytest.mark.parametrize("step", [1, 2, 7, 1000])
def test_clear_text_at_once(ends: Ends, step: int) -> None:
    parting = parted(ends)
    assert feed(parting, b"NOOP\r\n", step) == b"NOOP\r\n"
    assert parting.over


@pytest.mark.parametrize("step", [1, 2, 7, 1000])
def test_a_close_notify_and_clear_text(ends: Ends, step: int) -> None:
    parting = parted(ends)
    assert feed(parting, _close_notify_of(ends) + b"NOOP\r\n", step) == b"NOOP\r\n"
    assert parting.over


@pytest.mark.parametrize("step", [1, 2, 7, 1000])
def test_what_was_under_way_is_still_protected(ends: Ends, step: int) -> None:
    parting = parted(ends)
    octets = ends.says(b"NOOP\r\n") + _close_notify_of(ends) + b"PWD\r\n"
    assert feed(parting, octets, step) == b"NOOP\r\nPWD\r\n"
    assert parting.over


def test_nothing_more_is_waited_for_after_the_close_notify(ends: Ends) -> None:
    parting = parted(ends)
    assert parting.decrypt(_close_notify_of(ends)) == b""
    assert parting.over


def test_forged_records(ends: Ends) -> None:
    with pytest.raises(OSError, match=r"MAC|mac"):
        parted(ends).decrypt(b"\x17\x03\x03\x00\x30" + b"x" * 48)


def _close_notify_of(ends: Ends) -> bytes:
    """The client's answer to ours, which it has read."""
    assert ends.client.read(1) == b""
    ends.client.unwrap()
    return ends.outgoing.read()


def test_layers_know_nothing_of_each_other(contexts: Contexts) -> None:
    one, other = Ends(contexts), Ends(contexts)
    with pytest.raises(OSError, match=r"MAC|mac"):
        other.layer.decrypt(one.says(b"hello"))
    assert isinstance(one.layer, Layer)
