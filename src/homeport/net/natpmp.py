"""NAT-PMP (RFC 6886): asks a home router for its outside address and for ports, in packets of a few octets.

The protocol of Apple's and many other routers; PCP is its successor and answers on the same port, so it is asked
first (RFC 6887 Appendix A). Everything is asked one after another, as §3.2 wants it.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from ipaddress import IPv4Address

from .background import Patience
from .exchange import Answer, Endpoint, Unanswered, ask
from .router import Grant, RouterError, Trouble, halved

PORT = 5351
"""Where a gateway listens (§3.1); its announcements go to 5350 (§3.2.1)."""
TRIES = 9
"""Transmissions until a gateway counts as one without NAT-PMP (§3.1)."""

_FIRST_WAIT = 0.25
_VERSION = 0
_ADDRESS = 0
_MAP_TCP = 2
_ANSWER = 128

_RESULTS = {
    1: (Trouble.UNSUPPORTED, "it does not speak this version of NAT-PMP"),
    2: (Trouble.REFUSED, "it may not or will not open ports (NAT-PMP is switched off, or not allowed to this machine)"),
    3: (Trouble.NO_ADDRESS, "it has no public address itself"),
    4: (Trouble.RESOURCES, "it has no room for more ports"),
    5: (Trouble.UNSUPPORTED, "it does not know this request of NAT-PMP"),
}
"""§3.5."""


class NatPmp:
    """A gateway by NAT-PMP (see `router.Router`)."""

    protocol = "NAT-PMP"

    def __init__(self, gateway: Endpoint, patience: Patience, *, tries: int = TRIES) -> None:
        self._target = gateway
        self._patience = patience
        self._tries = tries
        self._epoch: tuple[int, float] | None = None  # the gateway's seconds, and ours when we heard them
        self._restarted = False

    @property
    def gateway(self) -> str:
        return self._target[0]

    def map(self, inside: int, outside: int, seconds: float, *, renewal: bool = False) -> Grant:
        lifetime = int(seconds)
        # §3.3: version, opcode, 2 reserved octets, internal port, suggested external port, lifetime.
        question = struct.pack("!BBHHHI", _VERSION, _MAP_TCP, 0, inside, outside, lifetime)

        def accept(octets: bytes) -> Grant | None:
            if not _is_answer(octets, _MAP_TCP):
                return None
            _check(octets)
            if len(octets) < 16:
                return None
            epoch, port, mapped, granted = struct.unpack_from("!IHHI", octets, 4)
            if port != inside:
                return None  # of an earlier question
            self._heard_epoch(epoch)
            # §3.3: what counts is what was mapped, not what was suggested.
            return Grant(inside, mapped, granted)

        return self._ask(question, accept, 1 if renewal else self._tries)

    def unmap(self, grant: Grant) -> None:
        # §3.4: lifetime and suggested port are 0.
        question = struct.pack("!BBHHHI", _VERSION, _MAP_TCP, 0, grant.inside, 0, 0)

        def accept(octets: bytes) -> bool | None:
            if not _is_answer(octets, _MAP_TCP):
                return None
            _check(octets)
            return (len(octets) >= 10 and octets[8:10] == grant.inside.to_bytes(2, "big")) or None

        self._ask(question, accept, 1)

    def address(self) -> str | None:
        def accept(octets: bytes) -> str | None:
            if not _is_answer(octets, _ADDRESS):
                return None
            _check(octets)
            if len(octets) < 12:
                return None
            self._heard_epoch(int.from_bytes(octets[4:8], "big"))
            return str(IPv4Address(octets[8:12]))

        try:
            address = self._ask(struct.pack("!BB", _VERSION, _ADDRESS), accept, self._tries)
        except RouterError as error:
            if error.trouble is Trouble.NO_ADDRESS:
                return None
            raise
        return None if address == "0.0.0.0" else address

    def heard(self, octets: bytes) -> bool:
        if octets[:2] == b"\x02\x80":
            # PCP's announcement, which gateways that speak both send instead. Its clock shows in the next answer.
            return True
        # §3.2.1: an announcement is an answer to a request for the address that nobody made.
        if not _is_answer(octets, _ADDRESS) or len(octets) < 12 or octets[2:4] != b"\0\0":
            return False
        self._heard_epoch(int.from_bytes(octets[4:8], "big"))
        return True

    def take_restart(self) -> bool:
        restarted, self._restarted = self._restarted, False
        return restarted

    def renewal(self, seconds: float, attempt: int) -> float:
        return halved(seconds, attempt)

    def _ask(self, question: bytes, accept: Callable[[bytes], Answer | None], tries: int) -> Answer:
        try:
            return ask(self._target, lambda _: question, accept, waits(tries), self._patience)
        except Unanswered as error:
            raise RouterError(Trouble.SILENT, str(error)) from None

    def _heard_epoch(self, seconds: int) -> None:
        """§3.6: time that stands still or goes back by more than our clocks can differ means a restart."""
        now = self._patience.now()
        if self._epoch is not None:
            before, at = self._epoch
            if seconds < before + (now - at) * 7 / 8 - 2:
                self._restarted = True
        self._epoch = (seconds, now)


def _is_answer(octets: bytes, opcode: int) -> bool:
    # An answer of another version is one too: a gateway tells so in the version that it speaks (§3.5).
    return len(octets) >= 8 and octets[1] == _ANSWER + opcode and (octets[0] == _VERSION or octets[2:4] == b"\0\1")


def _check(octets: bytes) -> None:
    result = int.from_bytes(octets[2:4], "big")
    if result:
        # §3.5: a code that is not known is the end of the request, too.
        trouble, text = _RESULTS.get(result, (Trouble.BROKEN, f"it answers with the unknown result {result}"))
        raise RouterError(trouble, text)


def waits(tries: int) -> Iterable[float]:
    """§3.1: 250 ms, and twice as long each time."""
    return (_FIRST_WAIT * 2**number for number in range(tries))
