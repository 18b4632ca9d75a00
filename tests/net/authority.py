"""A certificate authority in memory: certificates of any name, kind of key and time of life."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from homeport.net.renewal import Issued, IssueFailed, Wait


@dataclass(frozen=True)
class Made:
    """A certificate and its key, both PEM."""

    certificate: bytes
    key: bytes

    def write(self, directory: Path, name: str) -> tuple[str, str]:
        """The paths of the certificate and of the key, in files of their own."""
        paths = directory / f"{name}.pem", directory / f"{name}-key.pem"
        for path, octets in zip(paths, (self.certificate, self.key), strict=True):
            replace(path, octets)
        return str(paths[0]), str(paths[1])


class TestAuthority:
    """Makes certificates; fulfils `renewal.Authority` too, and fails as often as it is told."""

    __test__ = False  # pytest: this is no test

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Test CA")])
        self.now = datetime.now(UTC)
        self.days = 90
        self.failures: list[IssueFailed | OSError] = []
        self.asked: list[tuple[str, ...]] = []

    def certificate(self) -> bytes:
        """Its own, for who is to trust it."""
        builder = self._builder(self.name, self._key.public_key(), timedelta(days=3650))
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        return builder.sign(self._key, SHA256()).public_bytes(Encoding.PEM)

    def make(self, names: Sequence[str], *, days: float = 90.0, kind: str = "ECDSA", bits: int = 2048) -> Made:
        key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
        key = rsa.generate_private_key(65537, bits) if kind == "RSA" else ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "server")])
        builder = self._builder(subject, key.public_key(), timedelta(days=days))
        builder = builder.add_extension(
            x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False
        )
        return Made(
            builder.sign(self._key, SHA256()).public_bytes(Encoding.PEM),
            key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        )

    def issue(self, names: tuple[str, ...], wait: Wait) -> Issued:
        wait(0.0)
        self.asked.append(names)
        if self.failures:
            raise self.failures.pop(0)
        made = self.make(names, days=self.days)
        return Issued(made.key, made.certificate)

    def _builder(
        self, subject: x509.Name, key: ec.EllipticCurvePublicKey | rsa.RSAPublicKey, life: timedelta
    ) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(self.now)
            .not_valid_after(self.now + life)
        )


def replace(path: Path, octets: bytes) -> None:
    """Put *octets* at *path* as a whole, as another file: whoever looks sees that it has changed."""
    beside = path.with_name(f".{path.name}.new")
    beside.write_bytes(octets)
    os.replace(beside, path)
