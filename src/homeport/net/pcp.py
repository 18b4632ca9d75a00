"""PCP (RFC 6887), its MAP and ANNOUNCE opcodes: asks a router, or a carrier, for ports.

Over IPv4 it maps a port of the outside address to one of ours. Over IPv6 there is nothing to translate; there the
same request makes a home router's firewall let connections to one port of this machine pass.
"""

from __future__ import annotations

import random
import secrets
import struct
from collections.abc import Callable, Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address

from .background import Patience
from .exchange import Answer, Endpoint, Unanswered, ask
from .router import Grant, RouterError, Trouble

PORT = 5351
NONCE_OCTETS = 12
TRIES = 5
"""Transmissions in a row, over some 90 seconds. §8.1.1 would have us go on for ever, and so it does: `leases.py` asks
again after a while, and hears in between when the router announces itself."""

_VERSION = 2
_RESPONSE = 0x80
_ANNOUNCE = 0
_MAP = 1
_TCP = 6
_SUCCESS = 0
_UNSUPP_VERSION = 1
_NO_RESOURCES = 8
_HEADER = 24
_LONGEST = 1100

_FIRST_WAIT = 3.0
_LONGEST_WAIT = 1024.0
"""IRT and MRT (§8.1.1)."""
_RANDOMIZED = 0.1
_LONGEST_LIFETIME = 86400.0
"""A router's word on errors and grants is believed for a day at most (§15)."""

_MAPPED = b"\0\0\0\0\0\0\0\0\0\0\xff\xff"
_ANY4 = _MAPPED + bytes(4)
_ANY6 = bytes(16)

_RESULTS = {
    1: (Trouble.UNSUPPORTED, "it does not speak this version of PCP"),
    2: (Trouble.REFUSED, "it does not allow this machine to open the port"),
    3: (Trouble.BROKEN, "it does not understand the request"),
    4: (Trouble.UNSUPPORTED, "it does not know the opcode MAP"),
    5: (Trouble.BROKEN, "it does not know an option"),
    6: (Trouble.BROKEN, "it does not understand an option"),
    7: (Trouble.NO_ADDRESS, "it has no connection to the internet"),
    8: (Trouble.RESOURCES, "it cannot open more ports, or has no public address itself"),
    9: (Trouble.UNSUPPORTED, "it opens no TCP ports"),
    10: (Trouble.REFUSED, "this machine has as many ports as it may have"),
    11: (Trouble.CONFLICT, "the port is not to be had"),
    12: (Trouble.NO_ADDRESS, "another router that translates addresses is in between"),
    13: (Trouble.BROKEN, "it cannot filter"),
}
"""§7.4."""


class Pcp:
    """A PCP server (see `router.Router`)."""

    protocol = "PCP"

    def __init__(self, gateway: Endpoint, patience: Patience, *, tries: int = TRIES, source: str | None = None) -> None:
        """*tries*: transmissions of the first question.

        *source*: the address of ours for which ports are asked; the system chooses it otherwise.
        """
        self._target = gateway
        self._patience = patience
        self._tries = tries
        self._source = source
        self._random = random.SystemRandom()
        self._nonces: dict[int, bytes] = {}
        self._address: str | None = None
        self._outside: bytes | None = None  # of the last grant, to be suggested again
        self._epoch: tuple[int, float] | None = None
        self._restarted = False
        self._full_until = float("-inf")
        self._refused_until: dict[int, tuple[float, RouterError]] = {}

    @property
    def gateway(self) -> str:
        return self._target[0]

    def map(self, inside: int, outside: int, seconds: float, *, renewal: bool = False) -> Grant:
        self._hold_back(inside, renewal=renewal)

        def accept(octets: bytes) -> Grant | None:
            found = self._mapped(octets, inside)
            if found is None:
                return None
            lifetime, port, address = found
            if not self._receive(octets, inside, lifetime):
                return None
            self._outside = address
            self._address = str(IPv6Address(address).ipv4_mapped or IPv6Address(address))
            return Grant(inside, port, min(lifetime, _LONGEST_LIFETIME))

        return self._ask(
            self._question(inside, outside, int(seconds), self._outside), accept, 1 if renewal else self._tries
        )

    def unmap(self, grant: Grant) -> None:
        if self._patience.now() < self._full_until:
            return  # §11.4: then not even this may be asked

        def accept(octets: bytes) -> bool | None:
            found = self._mapped(octets, grant.inside)
            return self._receive(octets, grant.inside, found[0]) if found is not None else None

        # §15.1: lifetime, suggested port and suggested address are 0.
        self._ask(self._question(grant.inside, 0, 0, None), accept, 1)

    def address(self) -> str | None:
        """Of the last grant: PCP tells it with each."""
        return self._address

    def heard(self, octets: bytes) -> bool:
        if len(octets) >= 12 and octets[:4] == b"\0\x80\0\0":
            # NAT-PMP's announcement, which routers that speak both send when their address changes (RFC 6886 §3.2.1).
            self._restarted |= self._address not in (None, str(IPv4Address(octets[8:12])))
            return True
        # §14.1.3: an ANNOUNCE response without a request, always with the result SUCCESS.
        if not _well_formed(octets) or octets[1] != _RESPONSE | _ANNOUNCE or octets[3] != _SUCCESS:
            return False
        self._heard_epoch(int.from_bytes(octets[8:12], "big"))
        return True

    def take_restart(self) -> bool:
        restarted, self._restarted = self._restarted, False
        return restarted

    def renewal(self, seconds: float, attempt: int) -> float:
        # §11.2.1: between 1/2 and 5/8 of the lifetime, then 3/4 and 1/16 more, 7/8 and 1/32 more, ...
        rest = 0.5 ** (attempt + 1)
        return seconds * (1 - rest + self._random.uniform(0, rest / 4))

    # -- packets -------------------------------------------------------------------------------------

    def _question(self, inside: int, outside: int, lifetime: int, address: bytes | None) -> Callable[[str], bytes]:
        # §11.2: unguessable, one for each mapping, and the same whenever that is repeated, renewed or deleted.
        nonce = self._nonces.setdefault(inside, secrets.token_bytes(NONCE_OCTETS))

        def packet(own: str) -> bytes:
            value = ip_address(own.partition("%")[0])
            octets = value.packed if value.version == 6 else _MAPPED + value.packed
            suggested = address if address is not None else _ANY6 if value.version == 6 else _ANY4
            # §7.1: version, R=0 and opcode, reserved, lifetime, our address; §11.1: nonce, protocol, ports, address.
            header = struct.pack("!BBHI16s", _VERSION, _MAP, 0, lifetime, octets)
            return header + struct.pack("!12sB3xHH16s", nonce, _TCP, inside, outside, suggested)

        return packet

    def _mapped(self, octets: bytes, inside: int) -> tuple[float, int, bytes] | None:
        """Lifetime, external port and address of the answer about *inside*; None if it is none (§8.3, §11.4)."""
        _check_version(octets)
        if not _well_formed(octets) or octets[1] != _RESPONSE | _MAP or len(octets) < _HEADER + 36:
            return None
        nonce, protocol, port, outside, address = struct.unpack_from("!12sB3xHH16s", octets, _HEADER)
        if (nonce, protocol, port) != (self._nonces[inside], _TCP, inside):
            return None
        return float(int.from_bytes(octets[4:8], "big")), outside, address

    def _receive(self, octets: bytes, inside: int, lifetime: float) -> bool:
        """Take in epoch and result. Raises RouterError for what is no success."""
        self._heard_epoch(int.from_bytes(octets[8:12], "big"))
        result = octets[3]
        if result == _SUCCESS:
            self._refused_until.pop(inside, None)
            return True
        lifetime = min(lifetime, _LONGEST_LIFETIME)
        until = self._patience.now() + lifetime
        trouble, text = _RESULTS.get(result, (Trouble.BROKEN, f"it answers with the unknown result {result}"))
        error = RouterError(trouble, text, lifetime)
        if result == _NO_RESOURCES:
            self._full_until = until
        self._refused_until[inside] = (until, error)
        raise error

    def _hold_back(self, inside: int, *, renewal: bool) -> None:
        """Raise again what the router asked us not to provoke for a while (§8.3, §11.4)."""
        now = self._patience.now()
        if now < self._full_until and not renewal:
            trouble, text = _RESULTS[_NO_RESOURCES]
            raise RouterError(trouble, text, self._full_until - now)
        until, error = self._refused_until.get(inside, (now, None))
        if error is not None and now < until:
            raise RouterError(error.trouble, error.text, until - now)

    def _heard_epoch(self, seconds: int) -> None:
        """§8.5, in its integer arithmetic: the router's time must run as ours does."""
        now = self._patience.now()
        if self._epoch is not None:
            before, at = self._epoch
            server, client = seconds - before, int(now - at)
            if server < -1 or client + 2 < server - server // 16 or server + 2 < client - client // 16:
                self._restarted = True
        self._epoch = (seconds, now)

    def _ask(self, question: Callable[[str], bytes], accept: Callable[[bytes], Answer | None], tries: int) -> Answer:
        try:
            return ask(self._target, question, accept, self._waits(tries), self._patience, self._source)
        except Unanswered as error:
            raise RouterError(Trouble.SILENT, str(error)) from None

    def _waits(self, tries: int) -> Iterator[float]:
        """§8.1.1: 3 seconds, twice as long each time up to 1024, each by chance up to a tenth longer or shorter."""
        seconds = _FIRST_WAIT
        for _ in range(tries):
            seconds *= 1 + self._random.uniform(-_RANDOMIZED, _RANDOMIZED)
            yield seconds
            seconds = min(2 * seconds, _LONGEST_WAIT)


def _well_formed(octets: bytes) -> bool:
    """§8.3: a response of this version with a length that can be."""
    return _HEADER <= len(octets) <= _LONGEST and len(octets) % 4 == 0 and octets[0] == _VERSION


def _check_version(octets: bytes) -> None:
    """§9: a router that does not speak this version says so in its own; version 0 is NAT-PMP."""
    if len(octets) < 4 or not octets[1] & _RESPONSE or octets[0] == _VERSION:
        return
    if octets[0] == 0 and octets[2:4] == b"\0\1":  # NAT-PMP has its result code in two octets (RFC 6886 §3.5)
        raise RouterError(Trouble.UNSUPPORTED, "it speaks NAT-PMP, not PCP")
    if octets[3] == _UNSUPP_VERSION:
        raise RouterError(Trouble.UNSUPPORTED, "it speaks another version of PCP")
