"""The options of TLS and of certificates that are asked for by themselves: [tls] and [acme]."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, Strict, model_validator

from homeport.session.quirks import NO_CLOSE_NOTIFY

from .forms import (
    ClientPatterns,
    Form,
    HostNames,
    HttpsAddress,
    MailAddress,
    Port,
    ReadableFile,
    SessionReuseFor,
    write_tables,
)
from .section import Section


class CertificateOptions(Section):
    """One of several certificates."""

    certificate: ReadableFile = Field(description="The certificate chain in PEM form.", examples=["rsa.pem"])
    key: ReadableFile | None = Field(
        default=None,
        description="The certificate's private key in PEM form; without it, it stands in the certificate's file.",
        examples=["rsa-key.pem"],
    )


Certificates = Annotated[
    tuple[CertificateOptions, ...],
    Strict(False),
    Form("tables: [[tls.certificates]] with certificate and key", write_tables),
]


class TlsOptions(Section):
    """Encryption."""

    certificate: ReadableFile | None = Field(
        default=None,
        description="The certificate chain in PEM form; without it, a self-signed one is made at first start.",
        examples=["cert.pem"],
    )
    key: ReadableFile | None = Field(
        default=None,
        description="The certificate's private key in PEM form; without it, it stands in the certificate's file.",
        examples=["key.pem"],
    )
    certificates: Certificates = Field(
        default=(),
        description="More of them: for other host names, which clients name by SNI or HOST, or for the same ones with "
        "another kind of key (ECDSA beside RSA).",
        examples=[({"certificate": "rsa.pem", "key": "rsa-key.pem"},)],
    )
    require: Literal["none", "control", "both"] = Field(
        default="none",
        description='What must be encrypted: nothing, the "control" connection (logins), or data as well.',
    )
    session_reuse: Literal["prefer", "require", "off"] = Field(
        default="prefer",
        description="Whether a data connection must resume the TLS session of its control connection; "
        '"require" keeps out many clients; with "off" none can, and each makes a handshake of its own.',
    )
    session_reuse_for: SessionReuseFor = Field(
        default={},
        description="For clients in one of these networks instead; the first that fits counts.",
        examples=[{"192.0.2.0/24": "require"}],
    )
    implicit_require: Literal["control", "both"] = Field(
        default="control",
        description="What must be encrypted on listen.implicit_tls_port, where the control connection always is.",
    )
    clear_control: bool = Field(
        default=False,
        description="Whether clients may end the encryption of the control connection after login (CCC), so that a "
        "router can read it.",
    )
    kernel: Literal["auto", "off"] = Field(
        default="auto",
        description='Whether large downloads are encrypted by the kernel (kTLS), if it can; "homeport doctor" tells.',
    )
    client_ca: ReadableFile | None = Field(
        default=None,
        description="The certificates, in PEM form, of the authority that vouches for clients.",
        examples=["clients.pem"],
    )
    client_certificates: Literal["off", "allow", "require"] = Field(
        default="off",
        description="Whether clients are asked for a certificate of that authority; without a good one, "
        '"require" lets nobody in.',
    )
    no_close_notify: ClientPatterns = Field(
        default=NO_CLOSE_NOTIFY,
        description="Clients, by what they say with CLNT or CSID, whose encrypted uploads may end without close_notify "
        '(cut ones are not noticed then); "*" is any text, and alone it is every client.',
    )

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.key is not None and self.certificate is None:
            raise ValueError("there is a key, but no certificate")
        if self.client_certificates != "off" and self.client_ca is None:
            raise ValueError("client certificates are asked for, but no client_ca can vouch for them")
        return self


class AcmeOptions(Section):
    """A certificate from an authority such as Let's Encrypt, asked for and renewed by itself (RFC 8555)."""

    enabled: bool = Field(default=False, description="Whether to ask for a certificate.")
    names: HostNames = Field(
        default=(),
        description="The host names that the certificate is for; the authority must reach this server by each.",
        examples=[("ftp.example.net",)],
    )
    accept_terms: bool = Field(
        default=False, description="Whether you agree to the authority's terms of service; without, there is none."
    )
    email: MailAddress | None = Field(
        default=None,
        description="Where the authority may write to; told when the account is made.",
        examples=["admin@example.net"],
    )
    directory: HttpsAddress = Field(
        default="https://acme-v02.api.letsencrypt.org/directory",
        description="The address of the authority's ACME directory.",
    )
    directory_trust: ReadableFile | None = Field(
        default=None,
        description="The certificates, in PEM form, that vouch for the authority's own server; without it, those that "
        "are trusted everywhere.",
        examples=["ca.pem"],
    )
    challenge: Literal["http-01", "tls-alpn-01"] = Field(
        default="http-01",
        description='How the authority sees that the names are served here: by HTTP ("http-01") or by TLS '
        '("tls-alpn-01"). A port is open for that only while it looks.',
    )
    http_port: Port = Field(
        default=80, description="Where http-01 is answered; the authority connects to 80, which may be forwarded here."
    )
    tls_port: Port = Field(
        default=443,
        description="Where tls-alpn-01 is answered; the authority connects to 443, which may be forwarded here.",
    )

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.enabled and not self.names:
            raise ValueError("ACME is enabled, but there are no names for the certificate")
        if self.enabled and not self.accept_terms:
            raise ValueError("ACME is enabled, but accept_terms is false: agree to the authority's terms of service")
        return self

    @property
    def port(self) -> int:
        """Where the challenge is answered."""
        return self.http_port if self.challenge == "http-01" else self.tls_port
