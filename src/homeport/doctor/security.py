"""TLS from the client's side: contexts that take any certificate, and what is to be said about the one that came.

A probe has to go on where a careful client stops, because a self-signed certificate is no reason that no data comes.
So the handshake accepts everything, and whether a careful client would have accepted it is found out by a second one.
"""

from __future__ import annotations

import ssl
from ipaddress import ip_address
from typing import TYPE_CHECKING

from homeport.net.certificates import fingerprint_of

from .survey import Protection

if TYPE_CHECKING:
    from cryptography import x509


def lenient_context() -> ssl.SSLContext:
    """One that takes any certificate, and any version and cipher that the library has."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    # Who asks what is wrong with an old server must be able to talk to it.
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    return context


def careful_context() -> ssl.SSLContext:
    """One that is as careful as clients of today, with the authorities of this system."""
    return ssl.create_default_context()


def server_name(host: str) -> str | None:
    """What is told to the server as its name (SNI): a name, never an address (RFC 6066 §3)."""
    try:
        ip_address(host.partition("%")[0])
    except ValueError:
        return host
    return None


def reason(error: OSError) -> str:
    """Why a handshake failed, in a few words."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return str(error.verify_message)
    if isinstance(error, ssl.SSLError) and error.reason:
        return error.reason.lower().replace("_", " ")
    if isinstance(error, TimeoutError):
        return "it came to no end in time"
    return error.strerror or str(error) or "the connection was closed"


def protection_of(tls: ssl.SSLSocket, distrust: str | None) -> Protection:
    """What there is to say about *tls*, whose handshake is done. ValueError if its certificate cannot be read."""
    from cryptography import x509

    der = tls.getpeercert(binary_form=True)
    if der is None:
        raise ValueError("the server showed no certificate")
    certificate = x509.load_der_x509_certificate(der)
    cipher = tls.cipher()
    return Protection(
        version=tls.version() or "?",
        cipher=cipher[0] if cipher else "?",
        names=_names_in(certificate),
        issuer=certificate.issuer.rfc4514_string(),
        begins=certificate.not_valid_before_utc,
        expires=certificate.not_valid_after_utc,
        self_signed=certificate.issuer == certificate.subject,
        fingerprint=fingerprint_of(der),
        distrust=distrust,
    )


def _names_in(certificate: x509.Certificate) -> tuple[str, ...]:
    """Alternative names; where there are none, the common name, which only old clients look at."""
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return tuple(str(one.value) for one in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME))
    return tuple(str(name.value) for name in found)
