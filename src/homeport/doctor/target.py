"""Target: the server that is to be probed, from a URL (RFC 1738 §3.2), and the addresses that its name has."""

from __future__ import annotations

import socket
import threading
from dataclasses import dataclass, replace
from urllib.parse import unquote, urlsplit

from homeport.net.listener import text_of

FTP, FTPS = 21, 990
_ANONYMOUS = "anonymous"
_ANONYMOUS_PASSWORD = "probe@"  # noqa: S105 - by custom, something that looks like an address of mail


class WrongTarget(ValueError):
    """The text is no URL of a server; the message says why."""


class NameUnknown(Exception):
    """The name could not be looked up; the message says why, as a clause."""


@dataclass(frozen=True, slots=True)
class Target:
    """What a URL says."""

    host: str
    port: int
    user: str = _ANONYMOUS
    password: str = _ANONYMOUS_PASSWORD
    implicit: bool = False
    """Whether TLS begins at once (ftps)."""

    @classmethod
    def parse(cls, text: str) -> Target:
        """`ftp://[user[:password]@]host[:port][/]`, `ftps://...`, or only `host[:port]`. Raises WrongTarget."""
        parts = urlsplit(text if "://" in text else f"ftp://{text}")
        if parts.scheme not in ("ftp", "ftps"):
            raise WrongTarget(f"{parts.scheme}:// is not FTP; write ftp:// or ftps://")
        try:
            port = parts.port
        except ValueError:
            raise WrongTarget("the port is no number from 1 to 65535") from None
        if not parts.hostname:
            raise WrongTarget("there is no host in it")
        implicit = parts.scheme == "ftps"
        user = unquote(parts.username or _ANONYMOUS, errors="surrogateescape")
        given = unquote(parts.password or "", errors="surrogateescape")
        password = given or (_ANONYMOUS_PASSWORD if user == _ANONYMOUS else "")
        return cls(parts.hostname, port or (FTPS if implicit else FTP), user, password, implicit)

    def __post_init__(self) -> None:
        if any(one in self.user + self.password for one in "\r\n\0"):
            # It would begin another command.
            raise WrongTarget("there is an end of line in the name or the password")

    def with_password(self, password: str) -> Target:
        """The same, and *password*. Raises WrongTarget."""
        return replace(self, password=password)

    @property
    def anonymous(self) -> bool:
        return self.user.lower() in (_ANONYMOUS, "ftp")

    @property
    def shown(self) -> str:
        """The URL without name and password."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        usual = FTPS if self.implicit else FTP
        return f"{'ftps' if self.implicit else 'ftp'}://{host}{'' if self.port == usual else f':{self.port}'}/"


def addresses_of(host: str, timeout: float) -> tuple[str, ...]:
    """The addresses of *host*, one for each family at most, IPv4 first. Raises NameUnknown.

    The system's resolver cannot be told how long it may take, so it works in a thread, which is left alone when time
    is up.
    """
    found: list[str] = []
    why: list[str] = []

    def look_up() -> None:
        try:
            answers = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            why.append(getattr(error, "strerror", None) or str(error))
            return
        for family in (socket.AF_INET, socket.AF_INET6):
            one = next((_text(answer[4]) for answer in answers if answer[0] == family), None)
            if one is not None:
                found.append(one)

    thread = threading.Thread(target=look_up, name="homeport-lookup", daemon=True)
    thread.start()
    thread.join(timeout)
    if thread.is_alive():
        raise NameUnknown(f"no answer within {timeout:g} s")
    if not found:
        raise NameUnknown(why[0] if why else "it has no address")
    return tuple(found)


def _text(address: tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]) -> str:
    # The last of the three is what getaddrinfo gives where Python was built without IPv6; it is not asked for here.
    if isinstance(address[0], int):
        raise TypeError("an address of another family")
    return text_of(address)[0]
