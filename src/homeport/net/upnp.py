"""UPnP IGD (Internet Gateway Device 1 and 2) through miniupnpc, the client library of the usual router daemon's author.

It finds the router by multicast (SSDP) and talks SOAP to it. Its calls block for up to some seconds and cannot be
interrupted, and it reports all errors as bare `Exception`s with a text, which are told apart here.

Why this library: docs/decisions/upnp.md. It is an extra: `pip install homeport[upnp]`.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import TypeVar

import miniupnpc  # type: ignore[import-not-found]  # a compiled module without type hints

from .router import Grant, RouterError, Trouble, halved

Result = TypeVar("Result")

_SEARCH_MS = 1000
"""For routers to answer the search."""
_LONGEST_LEASE = 604800
"""A week, the most that IGD:2 allows."""
_LOWEST_FREE = 49152
"""Where another port is looked for when the wanted one is taken: the dynamic ports (RFC 6335 §6)."""
_OTHER_PORTS = 5
"""Tries to find one."""
_DESCRIPTION = "Homeport FTP server"
_LOOK_AGAIN = 600.0
"""Seconds until a mapping is made again at the latest."""

_CONFLICT = "ConflictInMappingEntry"
_ERRORS = {
    _CONFLICT: (Trouble.CONFLICT, "the port is forwarded to another machine (error 718)"),
    "ConflictWithOtherMechanisms": (Trouble.CONFLICT, "the router uses the port itself (error 729)"),
    "Action not authorized": (Trouble.REFUSED, "it does not allow this machine to open the port (error 606)"),
    "NoPortMapsAvailable": (Trouble.RESOURCES, "it has no room for more ports (error 728)"),
    "Action Failed": (Trouble.NO_ADDRESS, "it could not do it (error 501), as routers without a public address say"),
    "Miniupnpc HTTP error": (Trouble.SILENT, "it does not answer any more"),
    "Miniupnpc Socket error": (Trouble.SILENT, "it does not answer any more"),
    "Miniupnpc Invalid response": (Trouble.BROKEN, "its answer makes no sense"),
}
"""The library's texts (upnperrors.c), and what they mean."""
_PERMANENT_ONLY = "OnlyPermanentLeasesSupported"
_NO_SUCH_ENTRY = "NoSuchEntryInArray"


class Upnp:
    """A router by UPnP (see `router.Router`). It is looked for at the first question."""

    protocol = "UPnP"

    def __init__(self, *, own: str | None = None, description_url: str | None = None) -> None:
        """*own*: our address on the network to search. *description_url*: the router's description, if known."""
        self._own = own
        self._url = description_url
        self._igd: miniupnpc.UPnP | None = None
        self._control = ""

    @property
    def gateway(self) -> str:
        """The host in the control URL; empty before the first question."""
        host = self._control.partition("://")[2].partition("/")[0]
        return host.rpartition(":")[0].strip("[]") or host

    def map(self, inside: int, outside: int, seconds: float, *, renewal: bool = False) -> Grant:  # noqa: ARG002 - all are asked once
        igd = self._found()
        lease = min(int(seconds), _LONGEST_LEASE)
        # Some routers let a new entry replace that of another machine, so it is looked for beforehand.
        holder = self._holder(outside, inside)
        if holder is None:
            try:
                return self._add(igd, inside, outside, lease)
            except RouterError as error:
                if error.trouble is not Trouble.CONFLICT:
                    raise
                holder = self._holder(outside, inside) or "somebody whom the router does not name"
        for _ in range(_OTHER_PORTS):
            other = _LOWEST_FREE + secrets.randbelow(65536 - _LOWEST_FREE)
            if self._holder(other, inside) is not None:
                continue
            try:
                grant = self._add(igd, inside, other, lease)
            except RouterError as error:
                if error.trouble is not Trouble.CONFLICT:
                    raise
                continue
            return Grant(inside, grant.outside, grant.seconds, holder)
        raise RouterError(Trouble.CONFLICT, f"port {outside} is forwarded to {holder}, and no other was free")

    def unmap(self, grant: Grant) -> None:
        igd = self._found()
        try:
            igd.deleteportmapping(grant.outside, "TCP", "")
        except Exception as error:  # noqa: BLE001 - the library raises nothing more special
            if str(error) != _NO_SUCH_ENTRY:  # 714: it is gone already, which is what was wanted
                raise _explained(error) from None

    def address(self) -> str | None:
        igd = self._found()
        try:
            address = _call(igd.externalipaddress)
        except RouterError as error:
            if error.trouble is Trouble.NO_ADDRESS:
                return None
            raise
        return address if address and address != "0.0.0.0" else None

    def heard(self, octets: bytes) -> bool:  # noqa: ARG002 - it is none of ours
        """UPnP routers announce themselves elsewhere; a lost mapping is noticed when it is renewed."""
        return False

    def take_restart(self) -> bool:
        return False

    def renewal(self, seconds: float, attempt: int) -> float:
        # Often, because nothing else shows that the router was restarted; always, where the lease is for ever.
        look = _LOOK_AGAIN * (attempt + 1)
        return min(halved(seconds, attempt), look) if seconds else look

    def _found(self) -> miniupnpc.UPnP:
        if self._igd is not None:
            return self._igd
        igd = miniupnpc.UPnP(multicastif=self._own, discoverdelay=_SEARCH_MS)
        try:
            if self._url is not None:
                self._control = igd.selectigd(self._url)
            else:
                igd.discover()
                self._control = igd.selectigd()
        except Exception as error:  # noqa: BLE001 - the library raises nothing more special
            # "Success" is what the library says when nobody answered.
            raise RouterError(Trouble.SILENT, f"no router answers a search by UPnP ({error})") from None
        self._igd = igd
        return igd

    def _holder(self, outside: int, inside: int) -> str | None:
        """Who else has the port; None if nobody has, or this very server."""
        igd = self._found()
        try:
            entry = igd.getspecificportmapping(outside, "TCP")
        except Exception as error:  # noqa: BLE001 - the library raises nothing more special
            found = _explained(error)
            if found.trouble is Trouble.SILENT:
                raise found from None
            return None  # 714, or a router that does not tell
        if entry is None or (entry[0] == igd.lanaddr and entry[1] == inside):
            return None
        name = f' ("{entry[2]}")' if entry[2] else ""
        return f"{entry[0]} port {entry[1]}{name}"

    def _add(self, igd: miniupnpc.UPnP, inside: int, outside: int, lease: int) -> Grant:
        def add(seconds: int) -> object:
            return igd.addportmapping(outside, "TCP", igd.lanaddr, inside, _DESCRIPTION, "", seconds)

        try:
            add(lease)
        except Exception as error:  # noqa: BLE001 - the library raises nothing more special
            if str(error) != _PERMANENT_ONLY:
                raise _explained(error) from None
            # 725: IGD:1 routers that know no leases. What is for ever must be removed at the end; it is.
            _call(lambda: add(0))
            return Grant(inside, outside, 0)
        return Grant(inside, outside, self._lease(igd, outside, lease))

    def _lease(self, igd: miniupnpc.UPnP, outside: int, asked: int) -> float:
        """What was really granted, which AddPortMapping does not tell: the router may have shortened it."""
        try:
            entry = igd.getspecificportmapping(outside, "TCP")
        except Exception:  # noqa: BLE001 - the library raises nothing more special
            return asked  # it is mapped, only not told
        return asked if entry is None or entry[4] > asked else entry[4]


def _call(action: Callable[[], Result]) -> Result:
    try:
        return action()
    except Exception as error:  # noqa: BLE001 - the library raises nothing more special
        raise _explained(error) from None


def _explained(error: Exception) -> RouterError:
    text = str(error)
    trouble, words = _ERRORS.get(text, (Trouble.BROKEN, f"it answers: {text}"))
    return RouterError(trouble, words)
