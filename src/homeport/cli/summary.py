"""Summary: what `homeport serve` says before the first event. Values in, text out; it asks nobody.

Who starts a server wants to know three things: where to connect (from here, from the network, from the internet),
with which name and password, and which ports a router or a firewall must let through. It is said in that order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from shlex import quote

from homeport.events.text import ranges, visible

from .share import Secret

_FTP = 21
_LABEL = 14


@dataclass(frozen=True, slots=True)
class Login:
    """The user that `serve` made. `password` is there only where it is SHOWN."""

    name: str
    secret: Secret
    password: str | None
    read_only: bool
    unwritable: bool = False
    """Whether the system forbids what Homeport would allow: this process may not write to the folder."""


@dataclass(frozen=True, slots=True)
class Place:
    """An address to connect to, and what it is reached from."""

    address: str
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """All that is known when the server has started. Empty and None are left out of the text."""

    version: str
    folder: str | None
    configuration: str | None
    here: Place | None
    network: Sequence[Place]
    internet: Place | None
    behind_router: bool
    """Whether the address in the internet is not one of this machine's."""
    login: Login | None
    users: int
    """How many others may log in."""
    anonymous: str | None
    """What everybody may see, if anybody may."""
    anonymous_writes: bool
    control_port: int
    passive_ports: Sequence[int]
    active_port: int
    state: str | None
    """The state directory, where it is not the platform's."""
    fingerprint: str | None = None
    """SHA-256 of the certificate that clients are shown; None where there is no TLS."""
    vouched_for: bool = False
    """Whether somebody else than this server vouches for it, so that clients need not ask."""
    why_port: str | None
    """Why it is not the port that was to be expected."""


def render(summary: Summary) -> str:
    """The text, several lines, LF at the end of each."""
    sections = [
        [_title(summary)],
        _section("Connect to", _places(summary)),
        _section("Log in as", _logins(summary)),
        _section("Certificate", _certificate(summary)),
        _section("Ports", _ports(summary)),
        [summary.why_port] if summary.why_port else [],
        ["Press Ctrl-C to stop."],
    ]
    return "\n".join("\n".join(section) + "\n" for section in sections if section) + "\n"


def url(place: Place, user: str | None = None) -> str:
    """`ftp://home@192.0.2.1:2121/`, without the port where it is 21."""
    host = f"[{place.address}]" if ":" in place.address else place.address
    name = f"{_quoted(user)}@" if user else ""
    return f"ftp://{name}{host}/" if place.port == _FTP else f"ftp://{name}{host}:{place.port}/"


def _quoted(user: str) -> str:
    # RFC 3986 §3.2.1: everything but the unreserved characters is percent-encoded in a user's name.
    unreserved = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
    octets = user.encode("utf-8", "surrogateescape")
    return "".join(chr(octet) if octet in unreserved else f"%{octet:02X}" for octet in octets)


def _title(summary: Summary) -> str:
    if summary.folder is not None:
        return f"Homeport {summary.version} shares {visible(summary.folder)}"
    return f"Homeport {summary.version} serves as {visible(summary.configuration or '')} says"


def _section(title: str, rows: list[tuple[str, str]]) -> list[str]:
    return [title, *(f"  {label:<{_LABEL}} {text}".rstrip() for label, text in rows)] if rows else []


def _places(summary: Summary) -> list[tuple[str, str]]:
    user = summary.login.name if summary.login is not None else None
    rows = [("this machine", url(summary.here, user))] if summary.here is not None else []
    labels = ["the network", *[""] * len(summary.network)]
    rows += [(label, url(place, user)) for label, place in zip(labels, summary.network, strict=False)]
    if summary.internet is not None:
        note = "  once the router forwards the ports below" if summary.behind_router else ""
        rows.append(("the internet", url(summary.internet, user) + note))
    return rows


def _logins(summary: Summary) -> list[tuple[str, str]]:
    rows = []
    login = summary.login
    if login is not None:
        may = "may read only" if login.read_only else "may read and write"
        if login.unwritable:
            may = "may read (the system does not let this program write there)"
        rows += [(visible(login.name), may), ("", _secret(login, summary.state))]
    if summary.anonymous is not None:
        may = "read and write" if summary.anonymous_writes else "read"
        rows.append(("anonymous", f"anybody may {may} {visible(summary.anonymous)}"))
    if summary.users:
        others = "others" if rows else "users"
        rows.append((others, f"{summary.users} (see: homeport user list, and the configuration)"))
    if not rows:
        rows.append(("nobody", "there are no users yet; add one: homeport user add NAME DIR"))
    return rows


def _secret(login: Login, state: str | None) -> str:
    match login.secret:
        case Secret.SHOWN:
            return f"password: {login.password}  (shown this once)"
        case Secret.GIVEN:
            return "password: the one you gave"
        case Secret.KEPT:
            again = f"homeport user password {quote(login.name)}"
            where = f" --state {quote(state)}" if state is not None else ""
            return f"password: shown at the first start; to set a new one: {visible(again + where)}"


def _certificate(summary: Summary) -> list[tuple[str, str]]:
    if summary.fingerprint is None:
        return []
    # Two lines of sixteen octets: as one, it would be wider than a terminal.
    middle = len(summary.fingerprint) // 2 + 1
    rows = [("SHA-256", summary.fingerprint[:middle]), ("", summary.fingerprint[middle:])]
    if not summary.vouched_for:
        rows.append(("", "self-signed: clients ask once whether it is right, and show these numbers"))
    return rows


def _ports(summary: Summary) -> list[tuple[str, str]]:
    rows = [("control", str(summary.control_port))]
    if summary.passive_ports:
        rows.append(("passive data", ranges(summary.passive_ports)))
    rows.append(("active data", f"from {summary.active_port}" if summary.active_port else "from any port"))
    inside = summary.network[0].address if summary.network else None
    forward = ranges([summary.control_port, *summary.passive_ports])
    if summary.behind_router and inside is not None:
        rows.append(("router", f"to be reached from the internet, forward TCP {forward} to {inside}"))
    else:
        rows.append(("firewall", f"let TCP {forward} in"))
    return rows
