"""Reading a certificate: what is in it, and what is refused before a client could see it."""

from __future__ import annotations

import hashlib
import ssl
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat
from cryptography.hazmat.primitives.serialization import load_pem_private_key as load_key

from homeport.net.certificates import CertificateUnusable, fingerprint_of, read_certificate
from homeport.net.snapshot import Snapshot

from .authority import Made, TestAuthority


def test_what_is_read(tmp_path: Path) -> None:
    authority = TestAuthority()
    made = authority.make(["FTP.example.net", "*.example.org"], days=30)
    read = read_certificate(*made.write(tmp_path, "one"))
    assert read.names == ("ftp.example.net", "*.example.org")
    assert (read.issuer, read.self_signed, read.algorithm) == ("CN=Test CA", False, "ECDSA")
    assert read.expires - read.begins == timedelta(days=30)
    der = ssl.PEM_cert_to_DER_cert(made.certificate.decode())
    assert read.fingerprint.replace(":", "").lower() == hashlib.sha256(der).hexdigest()
    assert read_certificate(*authority.make(["a.example"], kind="RSA").write(tmp_path, "two")).algorithm == "RSA"


def test_key_and_chain_in_one_file(tmp_path: Path) -> None:
    authority = TestAuthority()
    made = authority.make(["a.example"])
    both = tmp_path / "both.pem"
    both.write_bytes(made.key + made.certificate + authority.certificate())
    read = read_certificate(str(both))
    assert read.names == ("a.example",)
    assert read.pem.count(b"BEGIN CERTIFICATE") == 2, "those that vouch for it are shown, too"
    assert b"PRIVATE" not in repr(read).encode()


def test_the_fingerprint_is_as_clients_show_it() -> None:
    assert fingerprint_of(b"") == (
        "E3:B0:C4:42:98:FC:1C:14:9A:FB:F4:C8:99:6F:B9:24:27:AE:41:E4:64:9B:93:4C:A4:95:99:1B:78:52:B8:55"
    )


@pytest.mark.parametrize(
    ("certificate", "key", "why"),
    [
        (lambda made: made.certificate[:200], lambda made: made.key, "one.pem holds no whole certificate"),
        (lambda made: b"", lambda made: made.key, "one.pem holds no whole certificate"),
        (lambda made: made.certificate, lambda made: made.key[:100], "one-key.pem holds no private key"),
        (lambda made: made.certificate, lambda made: TestAuthority().make(["b"]).key, "is not the key of"),
        (lambda made: made.certificate, lambda made: b"x" * (1024 * 1024 + 1), "too large"),
    ],
)
def test_what_is_refused(tmp_path: Path, certificate: object, key: object, why: str) -> None:
    made = TestAuthority().make(["a.example"])
    assert callable(certificate)
    assert callable(key)
    paths = Made(certificate(made), key(made)).write(tmp_path, "one")
    with pytest.raises(CertificateUnusable, match=why):
        read_certificate(*paths)


def test_a_key_that_is_too_short_is_refused_by_openssl(tmp_path: Path) -> None:
    made = TestAuthority().make(["a.example"], kind="RSA", bits=1024)
    with pytest.raises(CertificateUnusable, match=r"one\.pem is refused by OpenSSL: ee key too small"):
        read_certificate(*made.write(tmp_path, "one"))


def test_an_encrypted_key_is_refused(tmp_path: Path) -> None:
    made = TestAuthority().make(["a.example"])
    sealed = load_key(made.key, None).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")
    )
    with pytest.raises(CertificateUnusable, match="no private key that can be used"):
        read_certificate(*Made(made.certificate, sealed).write(tmp_path, "one"))


def test_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(CertificateUnusable, match=r"missing\.pem cannot be read: No such file"):
        read_certificate(str(tmp_path / "missing.pem"))


def test_a_snapshot_stays_as_it_is_until_it_is_closed() -> None:
    snapshot = Snapshot(b"octets")
    assert Path(snapshot.path).read_bytes() == b"octets"
    assert Path(snapshot.path).read_bytes() == b"octets", "whoever opens it begins at its beginning"
    snapshot.close()
    snapshot.close()
    assert not Path(snapshot.path).exists()


def test_a_snapshot_without_memory_files_is_closed_to_others(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("homeport.net.snapshot._DESCRIPTORS", str(tmp_path / "missing"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with Snapshot(b"octets") as snapshot:
        assert Path(snapshot.path).parent == tmp_path
        assert Path(snapshot.path).stat().st_mode & 0o077 == 0
        assert Path(snapshot.path).read_bytes() == b"octets"
    assert list(tmp_path.iterdir()) == []
