"""The certificates of one server: which there are, which one is for whom, and their files watched.

Files are looked at when somebody asks for a certificate, at most once in LOOK_SECONDS, and by `upkeep.py` now and
then where nobody does. What has changed is read and judged as a whole: a pair that is half-written, or whose key and
certificate do not fit, changes nothing, and is told about if it still is so at the next look. What is good becomes a
snapshot of its own (`snapshot.py`), so that connections under way, and those that are just beginning, keep what
they have.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum

from .certificates import Certificate, CertificateUnusable, read_certificate
from .snapshot import Snapshot
from .tls import Chain

LOOK_SECONDS = 2.0
_KEPT_SECONDS = 60.0
"""How long a snapshot lasts after its certificate was replaced: a handshake that has its name may not have read it."""

Signature = tuple[tuple[int, int, int] | None, ...]
"""What tells that files have changed: modification time, inode and size of each; None: it cannot be looked at."""


class Source(Enum):
    """Where a certificate comes from."""

    CONFIGURED = "configured"
    ACME = "ACME"
    SELF_SIGNED = "self-signed"


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its key, as names of files."""

    certificate: str
    key: str | None
    """None: it stands in the certificate's file."""
    source: Source

    @property
    def files(self) -> tuple[str, ...]:
        return (self.certificate,) if self.key is None else (self.certificate, self.key)


@dataclass(frozen=True, slots=True)
class Status:
    """A certificate that is in use, for people and for metrics."""

    source: Source
    file: str
    names: tuple[str, ...]
    issuer: str
    algorithm: str
    fingerprint: str
    """SHA-256, "AB:CD:…"."""
    expires: datetime
    left: timedelta
    """Until then; negative where it has run out."""

    @property
    def days_left(self) -> int:
        """Whole days; negative where it has run out."""
        return self.left // timedelta(days=1)


@dataclass(frozen=True, slots=True)
class _Loaded:
    """A pair that was read and is good."""

    pair: Pair
    certificate: Certificate
    snapshot: Snapshot
    chain: Chain


@dataclass(slots=True)
class _Held:
    """What is known of one pair."""

    pair: Pair
    loaded: _Loaded | None = None
    seen: Signature | None = None
    """Of the files as they were judged last."""
    suspect: Signature | None = None
    """Of files that were no good at the last look, and may just be in the middle of being written."""
    told: bool = False
    """Whether it was warned about them."""


@dataclass(frozen=True, slots=True)
class _Served:
    """What is shown to clients. Made anew for every change, never changed."""

    by_name: dict[str, tuple[Chain, ...]] = field(default_factory=dict)
    """One for each kind of key; "*.example.net" is a name, too."""
    otherwise: tuple[Chain, ...] = ()
    """For who names no host, or an unknown one."""
    algorithms: dict[Chain, str] = field(default_factory=dict)


class CertificateStore:
    """Fulfils `tls.Certificates`. All methods may be called from any thread."""

    def __init__(
        self,
        pairs: Sequence[Pair],
        warn: Callable[[str], None],
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """The first of *pairs* is for clients that name no host. Those of Source.SELF_SIGNED are shown only where
        there are no others.

        CertificateUnusable unless all are good; but of Source.ACME, one may be missing or bad: it is yet to come.
        OSError where the system has no descriptor for a snapshot.
        """
        self._warn = warn
        self._monotonic = monotonic
        self._lock = threading.Lock()  # of `_held`, `_retired` and the counting of generations
        self._held = [_Held(pair) for pair in pairs]
        self._retired: list[tuple[float, Snapshot]] = []
        self._generation = 0
        self._closed = False
        self._served = _Served()
        try:
            for held in self._held:
                self._begin(held)
        except (CertificateUnusable, OSError):
            self.close()
            raise
        self._served = _serve(self._held)
        self._due = monotonic() + LOOK_SECONDS

    # -- for handshakes ------------------------------------------------------------------------------------

    @property
    def generation(self) -> int:
        """A number that grows whenever what `chains` gives has changed. Looks at the files now and then."""
        if self._monotonic() >= self._due:
            self.look()
        return self._generation

    def chains(self, name: str | None) -> tuple[Chain, ...]:
        """Those for the host *name*, one for each kind of key: of its very name before those with a wildcard."""
        served = self._served
        if name is None:
            return served.otherwise
        wanted = name.lower().rstrip(".")
        exact = served.by_name.get(wanted, ())
        # A wildcard stands for one label, and for all of it (RFC 9525 §6.3).
        wild = served.by_name.get("*." + wanted.partition(".")[2], ())
        if exact and wild:
            return _one_of_each_kind((*exact, *wild), served.algorithms)
        return exact or wild or served.otherwise

    # -- for upkeep ------------------------------------------------------------------------------------------

    def look(self) -> bool:
        """Look at all files; whether something new is shown from now on. Does not wait for a look under way."""
        if not self._lock.acquire(blocking=False):
            return False
        try:
            if self._closed:
                return False
            now = self._monotonic()
            self._due = now + LOOK_SECONDS
            changed = [held for held in self._held if self._look_at(held, now)]
            if changed:
                self._served = _serve(self._held)
                self._generation += 1
            while self._retired and self._retired[0][0] <= now:
                self._retired.pop(0)[1].close()
        finally:
            self._lock.release()
        return bool(changed)

    def certificates(self) -> tuple[tuple[Pair, Certificate], ...]:
        """Those that are shown, the first first."""
        return tuple((one.pair, one.certificate) for one in _shown(self._held))

    def statuses(self, now: datetime) -> tuple[Status, ...]:
        """Of those that are shown, the first first."""
        return tuple(status_of(pair, certificate, now) for pair, certificate in self.certificates())

    def close(self) -> None:
        """Forget all keys. Nothing can be shown afterwards."""
        with self._lock:
            self._closed = True
            shown = [held.loaded.snapshot for held in self._held if held.loaded is not None]
            for snapshot in (*shown, *(snapshot for _, snapshot in self._retired)):
                snapshot.close()
            self._retired.clear()

    # -- one pair ----------------------------------------------------------------------------------------------

    def _begin(self, held: _Held) -> None:
        signature = _signature(held.pair)
        if held.pair.source is Source.ACME and signature == (None,):
            held.seen = signature
            return
        try:
            self._take(held, read_certificate(held.pair.certificate, held.pair.key))
        except CertificateUnusable as error:
            if held.pair.source is not Source.ACME:
                raise
            self._warn(f"{error}. A new one is asked for.")
        held.seen = signature

    def _look_at(self, held: _Held, now: float) -> bool:
        """Whether *held* has become another certificate."""
        signature = _signature(held.pair)
        if signature == held.seen:
            held.suspect = None  # files that were odd at the last look are as they were before
            return False
        try:
            certificate = read_certificate(held.pair.certificate, held.pair.key)
            if _signature(held.pair) != signature:
                return False  # still being written: another look will see its end
            new = held.loaded is None or held.loaded.certificate.pem != certificate.pem
            old = held.loaded
            if new:
                self._take(held, certificate)
        except (CertificateUnusable, OSError) as error:  # OSError: there is no descriptor left for a snapshot
            # Whoever writes two files is between them at some moment; so that counts only if it lasts. Every look
            # tries again: a file that may be read from now on looks the same as before.
            if held.suspect != signature:
                held.suspect, held.told = signature, False
            elif not held.told:
                held.told = True
                self._warn(f"{error}. {_consequence(held)}")
            return False
        held.suspect, held.seen = None, signature
        if new and old is not None:
            self._retired.append((now + _KEPT_SECONDS, old.snapshot))
        return new

    def _take(self, held: _Held, certificate: Certificate) -> None:
        snapshot = Snapshot(certificate.pem)
        held.loaded = _Loaded(held.pair, certificate, snapshot, Chain(snapshot.path, None, certificate.names))


def status_of(pair: Pair, certificate: Certificate, now: datetime) -> Status:
    """What there is to say about *certificate*, that is in the files of *pair*."""
    return Status(
        source=pair.source,
        file=pair.certificate,
        names=certificate.names,
        issuer=certificate.issuer,
        algorithm=certificate.algorithm,
        fingerprint=certificate.fingerprint,
        expires=certificate.expires,
        left=certificate.expires - now,
    )


def _consequence(held: _Held) -> str:
    if held.loaded is None:
        return "It is not used."
    return "The certificate that was read before stays in use."


def _signature(pair: Pair) -> Signature:
    found: list[tuple[int, int, int] | None] = []
    for path in pair.files:
        try:
            stat = os.stat(path)
        except OSError:
            found.append(None)
        else:
            found.append((stat.st_mtime_ns, stat.st_ino, stat.st_size))
    return tuple(found)


def _shown(all_held: Iterable[_Held]) -> list[_Loaded]:
    """Those that are good; self-signed ones only where there are no others."""
    loaded = [held.loaded for held in all_held if held.loaded is not None]
    return [one for one in loaded if one.pair.source is not Source.SELF_SIGNED] or loaded


def _serve(all_held: Iterable[_Held]) -> _Served:
    shown = _shown(all_held)
    algorithms = {one.chain: one.certificate.algorithm for one in shown}
    by_name: dict[str, tuple[Chain, ...]] = {}
    for one in shown:
        for name in one.chain.names:
            by_name[name] = (*by_name.get(name, ()), one.chain)
    otherwise: tuple[Chain, ...] = ()
    if shown:
        # With the first go those of the same names: which kind of key it gets is decided by the client's algorithms.
        first = shown[0].chain
        alike = (one.chain for one in shown[1:] if set(one.chain.names) & set(first.names))
        otherwise = _one_of_each_kind((first, *alike), algorithms)
    return _Served({name: _one_of_each_kind(some, algorithms) for name, some in by_name.items()}, otherwise, algorithms)


def _one_of_each_kind(chains: Sequence[Chain], algorithms: dict[Chain, str]) -> tuple[Chain, ...]:
    """The first of each kind: a second one would take the first one's place in OpenSSL."""
    found: dict[str, Chain] = {}
    for chain in chains:
        found.setdefault(algorithms[chain], chain)
    return tuple(found.values())
