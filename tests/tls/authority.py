"""Certificates for tests: an authority, servers of it, and clients."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@cache
def rsa_key() -> rsa.RSAPrivateKey:
    """The only one: making it takes longer than all the rest."""
    return rsa.generate_private_key(65537, 2048)


class Authority:
    """Vouches for certificates, which it writes into *directory*."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Test Authority")])
        self._serial = 1
        self.file = str(self._write("authority", self._issue(self._name, self._key, (), ca=True)))

    def issue(self, name: str, *names: str, use_rsa: bool = False) -> str:
        """The file with certificate and key for *name* (the common name) and alternative *names*."""
        key: Key = rsa_key() if use_rsa else ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        pem = self._issue(subject, key, names) + key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return str(self._write(f"{name}-{self._serial}", pem))

    def _issue(self, subject: x509.Name, key: Key, names: tuple[str, ...], *, ca: bool = False) -> bytes:
        now = datetime.now(UTC)
        self._serial += 1
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(self._serial)
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=30))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        )
        if names:
            general = [x509.RFC822Name(one) if "@" in one else x509.DNSName(one) for one in names]
            builder = builder.add_extension(x509.SubjectAlternativeName(general), critical=False)
        return builder.sign(self._key, SHA256()).public_bytes(Encoding.PEM)

    def _write(self, name: str, pem: bytes) -> Path:
        path = self.directory / f"{name}.pem"
        path.write_bytes(pem)
        path.chmod(0o600)
        return path
