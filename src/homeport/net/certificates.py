"""The server's own certificate: self-signed, made once, kept in the state directory.

It proves nothing to somebody who has never seen it, but whoever has accepted it once (its fingerprint is shown at
the start) recognises the server from then on. So it is made to last, and made again only when it is about to run out.

ECDSA on P-256, which every client of the last fifteen years knows and which makes the smallest and quickest
handshake; version 3 with the names and addresses of this machine as subject alternative names (RFC 5280 §4.2.1.6;
RFC 9525 looks at nothing else), and usable by a server only (§4.2.1.12).
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

CERTIFICATE_FILE = "certificate.pem"
KEY_FILE = "key.pem"

LIFETIME = timedelta(days=3650)
RENEW_BEFORE = timedelta(days=30)
"""A certificate that is to run out within this time is replaced."""
_CLOCK_SKEW = timedelta(days=1)
"""Clients whose clock is behind must not find a certificate of the future."""
_LONGEST_COMMON_NAME = 64
"""RFC 5280 appendix A.1: ub-common-name."""


class CertificateUnusable(Exception):
    """A certificate in the state directory that cannot be used. The text says which file, why, and the cure."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate and its key, as files in PEM form."""

    certificate: str
    key: str
    fingerprint: str
    """SHA-256 of the certificate in DER form, as "AB:CD:…", which is how clients show it."""
    names: tuple[str, ...]
    """The host names and addresses that it is for."""
    expires: datetime
    made: bool
    """Whether it was made just now."""


def own_certificate(directory: str, names: Iterable[str], *, now: datetime | None = None) -> Certificate:
    """The certificate in *directory*; made, with its key, where there is none or it runs out soon.

    *names* are host names and IP addresses for a new one. The directory must exist. The key can be read by its owner
    only. Raises CertificateUnusable for files that are there but broken, OSError where they cannot be written.
    """
    moment = now if now is not None else datetime.now(UTC)
    certificate_path = os.path.join(directory, CERTIFICATE_FILE)
    key_path = os.path.join(directory, KEY_FILE)
    if os.path.lexists(certificate_path) or os.path.lexists(key_path):
        found = read_certificate(certificate_path, key_path)
        if found.expires - moment > RENEW_BEFORE:
            return found
    key, certificate = _make(tuple(dict.fromkeys(names)), moment)
    # The key first: a certificate without its key would be "broken" at the next start, a key alone is as well, but
    # only for the moment between the two renames.
    _write(key_path, key, 0o600)
    _write(certificate_path, certificate, 0o644)
    made = read_certificate(certificate_path, key_path)
    return Certificate(made.certificate, made.key, made.fingerprint, made.names, made.expires, made=True)


def read_certificate(certificate_path: str, key_path: str) -> Certificate:
    """What the two files hold. CertificateUnusable unless it is a certificate and its key."""
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

    cure = f"Remove {certificate_path} and {key_path}, and the next start makes new ones."
    try:
        with open(certificate_path, "rb") as file:
            certificate = x509.load_pem_x509_certificate(file.read())
        with open(key_path, "rb") as file:
            key = load_pem_private_key(file.read(), password=None)
    except OSError as error:
        raise CertificateUnusable(f"{error.filename} cannot be read: {error.strerror}. {cure}") from None
    except (ValueError, TypeError) as error:  # TypeError: the key is encrypted
        raise CertificateUnusable(f"The certificate or its key is broken: {error}. {cure}") from None
    spki = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if certificate.public_key().public_bytes(*spki) != key.public_key().public_bytes(*spki):
        raise CertificateUnusable(f"{key_path} is not the key of {certificate_path}. {cure}")
    return Certificate(
        certificate_path, key_path, fingerprint_of(certificate.public_bytes(Encoding.DER)), _names_in(certificate),
        certificate.not_valid_after_utc, made=False,
    )  # fmt: skip


def fingerprint_of(der: bytes) -> str:
    """SHA-256 as clients show it: "AB:CD:…"."""
    return hashlib.sha256(der).digest().hex(":").upper()


def _make(names: tuple[str, ...], now: datetime) -> tuple[bytes, bytes]:
    """A new key and its certificate, both PEM."""
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, _common_name(names))])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCK_SKEW)
        .not_valid_after(now + LIFETIME)
    )
    for extension, critical in _extensions(key, names):
        builder = builder.add_extension(extension, critical)
    certificate = builder.sign(key, SHA256())
    return (
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        certificate.public_bytes(Encoding.PEM),
    )


def _extensions(key: EllipticCurvePrivateKey, names: tuple[str, ...]) -> list[tuple[x509.ExtensionType, bool]]:
    """Each extension, and whether who does not know it must refuse the certificate."""
    from cryptography import x509
    from cryptography.x509.oid import ExtendedKeyUsageOID

    usage = x509.KeyUsage(
        digital_signature=True, content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=False, crl_sign=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    extensions: list[tuple[x509.ExtensionType, bool]] = [
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (usage, True),
        (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False),
        (x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False),
    ]
    general = [name for name in map(_general_name, names) if name is not None]
    if general:
        extensions.append((x509.SubjectAlternativeName(general), False))
    return extensions


def _general_name(name: str) -> x509.GeneralName | None:
    """*name* as a subject alternative name; None for what cannot be one."""
    from cryptography import x509

    try:
        return x509.IPAddress(ip_address(name.partition("%")[0]))
    except ValueError:
        pass
    try:
        # dNSName is ASCII (RFC 5280 §7.2); IDNA 2003 is what Python has, and host names of machines need no more.
        return x509.DNSName(name.encode("idna").decode("ascii")) if name else None
    except UnicodeError:
        return None


def _common_name(names: tuple[str, ...]) -> str:
    """For people who look at the certificate: the first host name, else the first address."""
    for name in names:
        if 0 < len(name) <= _LONGEST_COMMON_NAME and not name.replace(":", "").replace(".", "").isdigit():
            return name
    return names[0] if names and len(names[0]) <= _LONGEST_COMMON_NAME else "homeport"


def _names_in(certificate: x509.Certificate) -> tuple[str, ...]:
    from cryptography import x509

    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    return tuple(str(name.value) for name in found)


def _write(path: str, octets: bytes, mode: int) -> None:
    """Write *path* whole or not at all; nobody but its owner can read it at any moment before it has its *mode*."""
    descriptor, temporary = tempfile.mkstemp(dir=os.path.dirname(path), prefix=".certificate-")  # made 0600
    try:
        with open(descriptor, "wb") as file:
            file.write(octets)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, mode)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
