from __future__ import annotations

import gc
import ssl
from pathlib import Path

import pytest
from tests.tls.authority import Authority

from homeport.net.layer import Layer, NoCertificate
from homeport.net.tls import Chain, ClientCertificates, Contexts, FileCertificates


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def certificate(authority: Authority) -> str:
    return authority.issue("ftp.test", "ftp.test")


@pytest.fixture
def contexts(certificate: str) -> Contexts:
    return Contexts(FileCertificates((Chain(certificate),)))


def client_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def shake_hands(
    layer: Layer, context: ssl.SSLContext, session: ssl.SSLSession | None = None, name: str | None = None
) -> ssl.SSLSession:
    """A client's handshake with *layer*; its session, with its tickets. *session* is resumed in its own context."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(incoming, outgoing, server_hostname=name, session=session)
    complete = False
    while not complete:
        try:
            client.do_handshake()
        except ssl.SSLWantReadError:
            pass
        complete = layer.handshake(outgoing.read())
        incoming.write(layer.outgoing.read())
    incoming.write(layer.encrypt(b"x"))
    assert client.read(1) == b"x"
    assert client.session is not None
    return client.session


def test_a_session_is_worth_something_at_its_own_address_only(contexts: Contexts) -> None:
    first = contexts.control("192.0.2.1", None)
    context = client_context()
    session = shake_hands(first, context)
    assert not first.resumed
    again = contexts.data(first, "192.0.2.1")
    shake_hands(again, context, session)
    assert again.resumed
    stranger = contexts.data(first, "192.0.2.2")
    shake_hands(stranger, context, session)
    assert not stranger.resumed
    unresumable = contexts.data(first, "192.0.2.1", resumable=False)
    shake_hands(unresumable, context, session)
    assert not unresumable.resumed


def test_tickets_last_as_long_as_a_session_from_the_address(contexts: Contexts) -> None:
    kept = contexts.control("192.0.2.1", None)
    context = client_context()
    session = shake_hands(kept, context)
    gone = contexts.control("192.0.2.2", None)
    lost = shake_hands(gone, context)
    del gone
    for number in range(300):  # more addresses than are remembered without a session
        contexts.control(f"198.51.{number // 256}.{number % 256}", None)
    gc.collect()
    again = contexts.data(kept, "192.0.2.1")
    shake_hands(again, context, session)
    assert again.resumed
    too_late = contexts.control("192.0.2.2", None)
    shake_hands(too_late, context, lost)
    assert not too_late.resumed


def test_layers_leave_no_cycles(contexts: Contexts) -> None:
    """They come with every transfer, and are not to wait for the garbage collector."""
    gc.collect()
    gc.disable()
    try:
        for _ in range(50):
            layer = contexts.control("192.0.2.1", None)
            shake_hands(layer, client_context(), name="ftp.test")
            layer.forgo()
            del layer
        assert gc.collect() < 50
    finally:
        gc.enable()


def test_no_certificate(tmp_path: Path) -> None:
    none = Contexts(FileCertificates(()))
    assert not none.available
    with pytest.raises(NoCertificate):
        none.check()
    (tmp_path / "broken.pem").write_text("-----BEGIN CERTIFICATE-----\n")
    for name in ("missing.pem", "broken.pem"):
        broken = Contexts(FileCertificates((Chain(str(tmp_path / name)),)))
        assert broken.available
        with pytest.raises(NoCertificate, match=name):
            broken.control("192.0.2.1", None)


def test_an_encrypted_key_is_an_error_and_no_question(tmp_path: Path, certificate: str) -> None:
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

    key = ec.generate_private_key(ec.SECP256R1())
    locked = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))
    (tmp_path / "key.pem").write_bytes(locked)
    with pytest.raises(NoCertificate):
        Contexts(FileCertificates((Chain(certificate, str(tmp_path / "key.pem")),))).check()


def test_a_client_authority_that_cannot_be_read(tmp_path: Path, certificate: str) -> None:
    contexts = Contexts(
        FileCertificates((Chain(certificate),)),
        client_authority=str(tmp_path / "missing.pem"),
        client_certificates=ClientCertificates.ALLOW,
    )
    with pytest.raises(NoCertificate):
        contexts.check()


@pytest.mark.parametrize(
    ("names", "wanted", "fits"),
    [
        (("a.test",), "a.test", True),
        (("a.test",), "A.Test.", True),
        (("*.test",), "a.test", True),
        (("*.test",), "b.a.test", False),
        (("*.test",), "test", False),
        (("a.test",), "b.test", False),
        ((), "a.test", False),
    ],
)
def test_what_a_chain_is_for(names: tuple[str, ...], wanted: str, fits: bool) -> None:
    assert Chain("c.pem", None, names).fits(wanted) is fits


def test_which_chains() -> None:
    first, twin, other = Chain("1", None, ("a", "b")), Chain("2", None, ("b",)), Chain("3", None, ("c",))
    files = FileCertificates((first, twin, other))
    assert files.chains(None) == (first, twin)
    assert files.chains("nothing") == (first, twin)
    assert files.chains("a") == (first,)
    assert files.chains("c") == (other,)
