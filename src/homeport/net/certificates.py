"""Certificates as they are read: one with its chain and its key, found to belong together.

What is read is also what is used: the octets that were judged here are the ones that OpenSSL gets (`store.py`), so
that a file which changes between the two looks does no harm.
"""

from __future__ import annotations

import hashlib
import ssl
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from .snapshot import Snapshot

if TYPE_CHECKING:
    from cryptography import x509

_MOST_OCTETS = 1024 * 1024
"""More than any chain with its key; what is larger is some other file."""


class CertificateUnusable(Exception):
    """A certificate that cannot be used. The text says which file, and why."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate, and what stands in it."""

    fingerprint: str
    """SHA-256 of the certificate in DER form, as "AB:CD:…", which is how clients show it."""
    names: tuple[str, ...]
    """The host names and addresses that it is for (subject alternative names), in small letters."""
    issuer: str
    """Who vouches for it, as in "CN=Example CA,O=Example"."""
    self_signed: bool
    algorithm: str
    """The kind of its key: "ECDSA", "RSA", ..."""
    begins: datetime
    expires: datetime
    pem: bytes = field(repr=False)
    """The key, the certificate and those that vouch for it."""


def read_certificate(certificate_path: str, key_path: str | None = None) -> Certificate:
    """What the files hold; without *key_path*, the key stands in the certificate's file.

    CertificateUnusable unless it is a certificate and its key, and OpenSSL takes both.
    """
    chain = _read(certificate_path)
    key = chain if key_path is None else _read(key_path)
    return parse_certificate(chain, key, certificate_path, key_path or certificate_path)


def parse_certificate(chain: bytes, key: bytes, certificate_path: str, key_path: str) -> Certificate:
    """What *chain* and *key*, both PEM, hold; the paths are for what is said about faults. CertificateUnusable."""
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization

    try:
        certificates = x509.load_pem_x509_certificates(chain)
    except ValueError as error:
        raise CertificateUnusable(f"{certificate_path} holds no whole certificate: {error}") from None
    try:
        private = serialization.load_pem_private_key(key, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:  # TypeError: the key is encrypted
        raise CertificateUnusable(f"{key_path} holds no private key that can be used: {error}") from None
    leaf = certificates[0]
    pem_form, der_form = serialization.Encoding.PEM, serialization.Encoding.DER
    spki = (der_form, serialization.PublicFormat.SubjectPublicKeyInfo)
    if leaf.public_key().public_bytes(*spki) != private.public_key().public_bytes(*spki):
        raise CertificateUnusable(f"{key_path} is not the key of {certificate_path}")
    pem = private.private_bytes(pem_form, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    pem += b"".join(one.public_bytes(pem_form) for one in certificates)
    _try_out(pem, certificate_path)
    return Certificate(
        fingerprint=fingerprint_of(leaf.public_bytes(der_form)),
        names=_names_in(leaf),
        issuer=leaf.issuer.rfc4514_string(),
        self_signed=leaf.issuer == leaf.subject,
        algorithm=_algorithm(leaf),
        begins=leaf.not_valid_before_utc,
        expires=leaf.not_valid_after_utc,
        pem=pem,
    )


def fingerprint_of(der: bytes) -> str:
    """SHA-256 as clients show it: "AB:CD:…"."""
    return hashlib.sha256(der).digest().hex(":").upper()


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            octets = file.read(_MOST_OCTETS + 1)
    except OSError as error:
        raise CertificateUnusable(f"{path} cannot be read: {error.strerror}") from None
    if len(octets) > _MOST_OCTETS:
        raise CertificateUnusable(f"{path} is too large for a certificate")
    return octets


def _try_out(pem: bytes, path: str) -> None:
    """OpenSSL has its own opinion, of keys that are too short and of signatures that are too weak."""
    with Snapshot(pem) as snapshot:
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(snapshot.path)
        except ssl.SSLError as error:
            why = (error.reason or str(error)).lower().replace("_", " ")
            raise CertificateUnusable(f"{path} is refused by OpenSSL: {why}") from None


def _algorithm(certificate: x509.Certificate) -> str:
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

    match certificate.public_key():
        case ec.EllipticCurvePublicKey():
            return "ECDSA"
        case rsa.RSAPublicKey():
            return "RSA"
        case other:
            return type(other).__name__.removesuffix("PublicKey")


def _names_in(certificate: x509.Certificate) -> tuple[str, ...]:
    from cryptography import x509

    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):  # ValueError: it is there, and malformed
        return ()
    return tuple(str(name.value).lower() for name in found if isinstance(name, x509.DNSName | x509.IPAddress))
