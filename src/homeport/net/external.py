"""External: this server's address as the internet knows it, found out again and again in a thread of its own.

The sources are asked in turn, and the first that knows is believed. What was known stays until something else is
known: a resolver that is down does not take away the address that it named an hour ago.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Protocol

from .background import Patience
from .exchange import Unanswered
from .stun import StunError, seen_address

ASK_AGAIN = 300.0
"""Seconds between two looks. The resolver of the system tells no time to live; dynamic names have 60 to 300 s."""
ASK_AGAIN_SOON = 30.0
"""Seconds until the next look when nobody knew."""


class Unknown(Exception):
    """The source could not tell. The text is a sentence for people."""


@dataclass(frozen=True, slots=True)
class External:
    """An address, and who says so: "the name ftp.example.net", "the STUN server 192.0.2.5", ..."""

    address: str
    origin: str


class Source(Protocol):
    def ask(self, patience: Patience) -> External:
        """May take seconds. Raises Unknown, Stopped."""


Lookup = Callable[[str], Sequence[str]]


def look_up(name: str) -> list[str]:
    """The addresses of *name*, as the system orders them. Raises OSError."""
    found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(one[4][0]).partition("%")[0] for one in found))


class Name:
    """A host name, as for a dynamic address."""

    def __init__(self, name: str, lookup: Lookup = look_up) -> None:
        self._name = name
        self._lookup = lookup

    def ask(self, patience: Patience) -> External:  # noqa: ARG002 - the system's resolver does the waiting
        try:
            found = self._lookup(self._name)
        except OSError as error:
            raise Unknown(
                f"The external address {self._name} could not be looked up ({error.strerror or error})."
            ) from None
        if not found:
            raise Unknown(f"The external address {self._name} could not be looked up (it has no address).")
        # 227 can name an IPv4 address only, and 229 none (RFC 2428 §3): it is the IPv4 address that matters.
        return External(min(found, key=lambda one: ":" in one), f"the name {self._name}")


class Stun:
    """A STUN server, by name or address."""

    def __init__(self, host: str, port: int, lookup: Lookup = look_up) -> None:
        self._host = host
        self._port = port
        self._lookup = lookup

    def ask(self, patience: Patience) -> External:
        try:
            found = [one for one in self._lookup(self._host) if ":" not in one]
        except OSError as error:
            raise Unknown(f"The STUN server {self._host} could not be looked up ({error.strerror or error}).") from None
        if not found:
            raise Unknown(f"The STUN server {self._host} has no IPv4 address.")
        try:
            address = seen_address((found[0], self._port), patience)
        except (Unanswered, StunError) as error:
            raise Unknown(f"The STUN server {self._host} did not tell the external address: {error}.") from None
        return External(address, f"told by the STUN server {self._host}")


class OwnInterface:
    """This machine itself, where it has a public address on one of its interfaces."""

    def __init__(self, lan_address: Callable[[], str | None]) -> None:
        """*lan_address* tells the address that packets to the internet come from."""
        self._lan_address = lan_address

    def ask(self, patience: Patience) -> External:  # noqa: ARG002 - the system knows at once
        known = self.known()
        if known is None:
            raise Unknown("No network interface of this machine has a public address.")
        return known

    def known(self) -> External | None:
        """The address, if it is a public one."""
        address = self._lan_address()
        if address is None or not ip_address(address).is_global:
            return None
        return External(address, "of this machine's network interface")


class ExternalWatch:
    """The work of the thread (see `background.Work`)."""

    def __init__(
        self,
        sources: Sequence[Source],
        told: Callable[[External | None], None],
        warn: Callable[[str], None],
        *,
        wanted: Callable[[], bool] = lambda: True,
        patient: bool = False,
    ) -> None:
        """*told* gets what is known, after each change and after the first look even if it is nothing.

        *warn* gets a sentence when a source begins to fail. Nobody is asked while not *wanted*. *patient*: that
        nobody knows is no reason to warn.
        """
        self._sources = sources
        self._told = told
        self._warn = warn
        self._wanted = wanted
        self._quiet = patient
        self._known: External | None = None
        self._asked = False
        self._warned: str | None = None

    def run(self, patience: Patience) -> None:
        due = patience.now()
        while True:
            if self._wanted() and due <= patience.now():
                known = self._look(patience)
                due = patience.now() + (ASK_AGAIN if known else ASK_AGAIN_SOON)
            left = due - patience.now() if self._wanted() else None
            patience.wait((), None if left is None else max(left, 0.0))

    def end(self, patience: Patience) -> None:
        """Nothing is left behind."""

    def _look(self, patience: Patience) -> bool:
        failures: list[str] = []
        for source in self._sources:
            try:
                found = source.ask(patience)
            except Unknown as unknown:
                failures.append(str(unknown))
                continue
            self._warned = None
            self._tell(found)
            return True
        self._tell(self._known)
        text = " ".join(failures)
        if text != self._warned and not self._quiet:
            kept = self._known
            self._warned = text
            self._warn(
                f"{text} "
                + (
                    f"{kept.address} stays the external address."
                    if kept is not None
                    else "Clients from the internet are told the address that they are connected to."
                )
            )
        return False

    def _tell(self, found: External | None) -> None:
        if found != self._known or not self._asked:
            self._asked = True
            self._known = found
            self._told(found)
