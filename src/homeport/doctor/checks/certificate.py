"""Will clients like the certificate?"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from ipaddress import ip_address

from homeport.net.certificates import Certificate, CertificateUnusable, read_certificate
from homeport.net.store import Pair, Source
from homeport.server.certificates import pairs_of

from ..case import Case
from ..finding import Finding, Severity

_SOON = timedelta(days=14)


def certificate(case: Case) -> Iterator[Finding]:
    """Each certificate that the server shows, or would show."""
    config = case.config
    if config.server.state is None:
        config = config.model_copy(update={"server": config.server.model_copy(update={"state": case.state})})
    for pair in pairs_of(config):
        if pair.source is not Source.CONFIGURED and not case.machine.exists(pair.certificate):
            yield Finding(
                "certificate",
                Severity.NOTE,
                f"There is no certificate in {pair.certificate} yet.",
                "It is asked for when the server runs."
                if pair.source is Source.ACME
                else "The next start of the server makes a self-signed one.",
            )
            continue
        yield from _one(case, pair)


def _one(case: Case, pair: Pair) -> Iterator[Finding]:
    try:
        found = read_certificate(pair.certificate, pair.key)
    except CertificateUnusable as error:
        yield Finding(
            "certificate",
            Severity.ERROR,
            f"{error}.",
            "Without a certificate there is no TLS.",
            ("Let the options tls.certificate and tls.key name a certificate in PEM form and its key.",)
            if pair.source is Source.CONFIGURED
            else ("Remove the files: the next start makes new ones.",),
        )
        return
    yield _life(case, pair, found)
    yield from _names(case, pair, found)
    key = pair.key or pair.certificate
    mode = case.machine.mode(key)
    if mode is not None and mode & 0o077 and not case.machine.platform.startswith("win"):
        yield Finding(
            "certificate",
            Severity.WARNING,
            f"Others may read the private key {key} (mode {mode:04o}).",
            "Who has the key can pass for this server, and read along.",
            (f"chmod 600 {key}",),
        )


def _life(case: Case, pair: Pair, found: Certificate) -> Finding:
    left = found.expires - case.now
    what = f"The certificate {pair.certificate}"
    date = f"{found.expires:%Y-%m-%d}"
    cures = {
        Source.ACME: ("See in the server's log why it was not renewed.",),
        Source.SELF_SIGNED: ("Start the server anew: it makes a new one.",),
        Source.CONFIGURED: ("Put a new one in its place.",),
    }[pair.source]
    if left <= timedelta(0):
        return Finding("certificate", Severity.ERROR, f"{what} ran out on {date}.", "Clients refuse it.", cures)
    if found.begins > case.now:
        return Finding(
            "certificate",
            Severity.ERROR,
            f"{what} is not valid before {found.begins:%Y-%m-%d %H:%M} UTC.",
            "Clients refuse it. Or the clock of this machine is wrong.",
            ("Set the clock.",),
        )
    if left < _SOON and pair.source is not Source.SELF_SIGNED:
        return Finding(
            "certificate",
            Severity.WARNING,
            f"{what} runs out on {date}, in {left.days} days.",
            "From then on clients refuse it.",
            cures,
        )
    if found.self_signed:
        return Finding(
            "certificate",
            Severity.NOTE,
            f"{what} is self-signed, and good until {date}.",
            "Clients ask their users whether to trust it; they should compare its fingerprint with "
            f"{found.fingerprint}.",
        )
    return Finding("certificate", Severity.OK, f"{what} is good until {date}, by {found.issuer}.")


def _names(case: Case, pair: Pair, found: Certificate) -> Iterator[Finding]:
    """Whether it is for the names under which clients know this server, as far as the configuration tells."""
    external = case.config.data.external_address
    wanted = [*case.config.server.host_names, *([external] if external not in ("auto", "none") else [])]
    missing = [name for name in wanted if not _covers(found.names, name)]
    if missing and pair.source is not Source.CONFIGURED:
        yield Finding(
            "certificate",
            Severity.NOTE,
            f"The certificate is not for {', '.join(missing)}.",
            "It was made before they were configured.",
            ("Make a new one: homeport cert self-signed.",),
        )
    elif missing and len(missing) == len(wanted):
        yield Finding(
            "certificate",
            Severity.WARNING,
            f"The certificate {pair.certificate} is for {', '.join(found.names)}, and not for {', '.join(missing)}.",
            "Careful clients that connect to that name refuse it.",
            ("Get one for the name that clients use.",),
        )


def _covers(names: tuple[str, ...], wanted: str) -> bool:
    name = wanted.lower().rstrip(".")
    try:
        name = str(ip_address(name))
    except ValueError:
        return name in names or f"*.{name.partition('.')[2]}" in names
    return name in names
