"""The server's own certificate: made once, closed to others, used by a real TLS client."""

from __future__ import annotations

import os
import socket
import ssl
import stat
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from homeport.net.certificates import CertificateUnusable, fingerprint_of
from homeport.net.selfsigned import (
    CERTIFICATE_FILE,
    KEY_FILE,
    LIFETIME,
    make_own_certificate,
    own_certificate,
    own_paths,
)

NAMES = ("ftp.example.net", "localhost", "192.0.2.7", "2001:db8::7", "localhost")


def test_what_is_made(tmp_path: Path) -> None:
    now = datetime(2030, 1, 1, tzinfo=UTC)
    made = own_certificate(str(tmp_path), NAMES, now=now)
    assert made.self_signed
    assert made.names == ("ftp.example.net", "localhost", "192.0.2.7", "2001:db8::7")
    assert made.expires == now + LIFETIME
    assert stat.S_IMODE(os.stat(own_paths(str(tmp_path))[1]).st_mode) == 0o600
    assert sorted(os.listdir(tmp_path)) == [CERTIFICATE_FILE, KEY_FILE]
    certificate = x509.load_pem_x509_certificate((tmp_path / CERTIFICATE_FILE).read_bytes())
    key = certificate.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    assert key.curve.name == "secp256r1"
    assert certificate.version is x509.Version.v3
    assert certificate.not_valid_before_utc < now
    assert certificate.subject.rfc4514_string() == "CN=ftp.example.net"
    basic = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    assert basic.critical
    assert not basic.value.ca
    usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert [one.dotted_string for one in usage] == ["1.3.6.1.5.5.7.3.1"]


def test_the_next_start_finds_it(tmp_path: Path) -> None:
    made = own_certificate(str(tmp_path), NAMES)
    found = own_certificate(str(tmp_path), ("another.example.net",))
    assert found == made


def test_a_new_one_can_be_had_at_any_time(tmp_path: Path) -> None:
    made = own_certificate(str(tmp_path), NAMES)
    again = make_own_certificate(str(tmp_path), ["new.example.net"])
    assert again.fingerprint != made.fingerprint
    assert own_certificate(str(tmp_path), NAMES) == again


def test_it_is_renewed_before_it_runs_out(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    made = own_certificate(str(tmp_path), NAMES, now=now)
    late = now + LIFETIME - timedelta(days=31)
    assert own_certificate(str(tmp_path), NAMES, now=late).fingerprint == made.fingerprint
    renewed = own_certificate(str(tmp_path), NAMES, now=late + timedelta(days=2))
    assert renewed.fingerprint != made.fingerprint
    assert renewed.expires > made.expires


@pytest.mark.parametrize("damage", ["certificate", "key", "no key", "other key", "no certificate"])
def test_what_is_broken_is_never_replaced_silently(tmp_path: Path, damage: str) -> None:
    own_certificate(str(tmp_path), NAMES)
    certificate, key = own_paths(str(tmp_path))
    match damage:
        case "certificate":
            Path(certificate).write_text("nonsense")
        case "key":
            Path(key).write_text("nonsense")
        case "no key":
            os.unlink(key)
        case "no certificate":
            os.unlink(certificate)
        case "other key":
            other = tmp_path / "other"
            other.mkdir()
            own_certificate(str(other), NAMES)
            os.replace(own_paths(str(other))[1], key)
    with pytest.raises(CertificateUnusable, match=r"Remove .* and the next start makes new ones"):
        own_certificate(str(tmp_path), NAMES)


def test_names_that_cannot_be_in_a_certificate_are_left_out(tmp_path: Path) -> None:
    made = own_certificate(str(tmp_path), ("a" * 70 + ".example", "", "bücher.example", "fe80::1%2"))
    assert made.names == ("xn--bcher-kva.example", "fe80::1")


def test_without_any_name_it_is_made_too(tmp_path: Path) -> None:
    assert own_certificate(str(tmp_path), ()).names == ()


def test_a_directory_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file or directory"):
        own_certificate(str(tmp_path / "missing"), NAMES)


def test_a_client_that_trusts_it_connects(tmp_path: Path) -> None:
    made = own_certificate(str(tmp_path), ("localhost", "127.0.0.1"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*own_paths(str(tmp_path)))
    trusting = ssl.create_default_context(cafile=str(tmp_path / CERTIFICATE_FILE))
    here, there = socket.socketpair()

    def serve() -> None:
        with context.wrap_socket(here, server_side=True) as server:
            server.sendall(b"well")

    thread = threading.Thread(target=serve)
    thread.start()
    with trusting.wrap_socket(there, server_hostname="127.0.0.1") as client:
        assert client.recv(10) == b"well"
        assert fingerprint_of(client.getpeercert(binary_form=True) or b"") == made.fingerprint
    thread.join(5)
