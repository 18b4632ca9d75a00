"""Visit: one control connection, from the greeting to being logged in, and what was learned on the way.

After a mode has failed, nobody knows what the server still has to say about it, so the next one is tried on a new
visit. Only the first visit of an address is shown; the others are like it.
"""

from __future__ import annotations

import re
import ssl
import time
from dataclasses import dataclass
from enum import Enum
from ipaddress import ip_address

from .client import Control, Heard, TalkOver
from .security import careful_context, lenient_context, protection_of, reason, server_name
from .survey import Endpoint, Protection
from .target import Target


class Tls(Enum):
    """Whether to encrypt; the value is the word on the command line."""

    AUTO = "auto"
    """Where the server offers it."""
    OFF = "off"
    REQUIRE = "require"


class VisitFailed(Exception):
    """It ended before the login was done; the text is a sentence."""

    def __init__(self, text: str, cause: TalkOver | None = None) -> None:
        super().__init__(text)
        self.cause = cause


@dataclass(slots=True)
class Learned:
    """What a visit tells; it fills while it goes on."""

    local: Endpoint | None = None
    connect_seconds: float = 0.0
    greeting: Heard | None = None
    features: tuple[str, ...] | None = None
    protection: Protection | None = None
    protection_problem: str | None = None
    login: Heard | None = None
    logged_in: bool = False


class Visit:
    """A control connection to one address of the target. Close it."""

    def __init__(self, target: Target, address: Endpoint, timeout: float, tls: Tls) -> None:
        self._target = target
        self._address = address
        self._timeout = timeout
        self._tls = tls
        self.learned = Learned()
        self.context: ssl.SSLContext | None = None
        """The one of the control connection, once that is encrypted; its sessions can be resumed."""
        self.data_protected = False
        """Whether PROT P was agreed on."""
        self._control: Control | None = None

    @property
    def control(self) -> Control:
        if self._control is None:
            raise RuntimeError("the visit has not begun")
        return self._control

    def begin(self, *, careful: bool = False) -> None:
        """Connect, encrypt, log in. *careful*: find out, too, what a careful client would say of the certificate.

        Raises VisitFailed; what was learned before stays in `learned`.
        """
        self._connect()
        if self._target.implicit:
            self._protect(careful=careful)
        self._greet()
        self._ask_features()
        if not self._target.implicit and self._tls is not Tls.OFF:
            self._auth(careful=careful)
        self._log_in()
        if self.learned.features is None:
            self._ask_features()
        if self.context is not None:
            self._protect_data()

    def ask(self, line: str) -> Heard:
        """Ask, and turn the end of the talk into VisitFailed."""
        try:
            return self.control.ask(line)
        except TalkOver as over:
            raise VisitFailed(f"After {line.split(' ', maxsplit=1)[0]}: {over}.", over) from over

    def close(self) -> None:
        if self._control is not None:
            self._control.close()

    def quit(self) -> None:
        if self._control is not None:
            self._control.quit()

    # -- steps ------------------------------------------------------------------------------------------

    def _connect(self) -> None:
        began = time.monotonic()
        try:
            self._control = Control.dial(self._address, self._timeout)
        except OSError as error:
            where = f"{self._address[0]} port {self._address[1]}"
            if isinstance(error, TimeoutError):
                raise VisitFailed(
                    f"{where} did not answer within {self._timeout:g} s: nothing is let in there, or nobody is there."
                ) from None
            if isinstance(error, ConnectionRefusedError):
                raise VisitFailed(
                    f"{where} refused the connection: no server listens there, or a router does not forward the port."
                ) from None
            raise VisitFailed(f"{where} cannot be reached: {error.strerror or error}.") from None
        self.learned.connect_seconds = time.monotonic() - began
        self.learned.local = self._control.local

    def _greet(self) -> None:
        try:
            heard = self.control.final()
        except TalkOver as over:
            hint = "" if self._target.implicit else " If it is a server for implicit TLS, probe it as ftps://."
            raise VisitFailed(f"The server was reached, and did not greet: {over}.{hint}", over) from over
        self.learned.greeting = heard
        if not heard.good:
            raise VisitFailed(f"The server was reached, and does not want to serve now: {heard}")

    def _ask_features(self) -> None:
        """FEAT (RFC 2389). Many servers answer it before the login, and some only after."""
        heard = self.ask("FEAT")
        if heard.good:
            self.learned.features = tuple(line.strip() for line in heard.lines[1:-1] if line.strip())

    def _auth(self, *, careful: bool) -> None:
        """AUTH TLS (RFC 4217 §4), if it is to be; servers without FEAT may know it, too."""
        offered = self.learned.features is None or any(
            one.upper().startswith("AUTH") and ("TLS" in one.upper() or "SSL" in one.upper())
            for one in self.learned.features
        )
        if not offered and self._tls is Tls.AUTO:
            return
        heard = self.ask("AUTH TLS")
        if heard.code == 234:
            self._protect(careful=careful)
            return
        if offered and self.learned.features is not None:
            self.learned.protection_problem = f"FEAT offers AUTH TLS, and it was refused: {heard}"
        if self._tls is Tls.REQUIRE:
            raise VisitFailed(f"There is no TLS: {heard}")

    def _protect(self, *, careful: bool) -> None:
        context = lenient_context()
        try:
            tls = self.control.protect(context, server_name(self._target.host))
            distrust = self._distrust() if careful else None
            self.learned.protection = protection_of(tls, distrust)
        except (OSError, ValueError) as error:
            text = reason(error) if isinstance(error, OSError) else str(error)
            self.learned.protection_problem = f"the handshake failed: {text}"
            raise VisitFailed(f"The TLS handshake on the control connection failed: {text}.") from None
        self.context = context

    def _distrust(self) -> str | None:
        """What a careful client would say, found out on a connection of its own."""
        try:
            control = Control.dial(self._address, self._timeout)
        except OSError as error:
            return f"it could not be found out: {error.strerror or error}"
        try:
            if not self._target.implicit:
                control.final()
                if control.ask("AUTH TLS").code != 234:
                    return "it could not be found out: AUTH TLS was refused the second time"
            # Without a name to compare with, the address is compared (RFC 9525 §6.5 has it so for IP addresses).
            control.protect(careful_context(), self._target.host.partition("%")[0])
        except TalkOver as over:
            return f"it could not be found out: {over}"
        except OSError as error:
            return reason(error)
        finally:
            control.close()
        return None

    def _log_in(self) -> None:
        target = self._target
        if target.password and not target.anonymous and self.context is None and self.learned.protection_problem:
            raise VisitFailed(
                f"{self.learned.protection_problem}. The password was not sent in clear; --tls off would do so."
            )
        heard = self.ask(f"USER {target.user}")
        if heard.code == 331:
            heard = self.ask(f"PASS {target.password}")
        self.learned.login = heard
        if heard.code not in (230, 232):
            raise VisitFailed(f"{target.user} could not log in: {heard}")
        self.learned.logged_in = True

    def _protect_data(self) -> None:
        """PBSZ and PROT P (RFC 4217 §9); a server that refuses both sends data in clear."""
        self.ask("PBSZ 0")
        self.data_protected = self.ask("PROT P").good


_FOUR = re.compile(r"(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?![\d.])")
_SIX = re.compile(r"(?<![\w:])(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{0,4}(?![\w:])")
_OURS = re.compile(r"\bfrom\b|\bconnected to (?!:)|\byour?\b|\bclient\b", re.IGNORECASE)
_THEIRS = re.compile(r"\bconnected to:|\bserver (?:address|ip)\b", re.IGNORECASE)


def told_addresses(texts: tuple[str, ...], local: str, peer: str) -> tuple[str | None, str | None]:
    """From greeting, welcome and STAT: our address as the server sees it, and the server's own as it sees it.

    None where nothing is told that we do not know. Servers have no common form: vsftpd's "Connected to 192.0.2.7" is
    the client's address, pyftpdlib's "Connected to: 192.0.2.1:21" the server's. Where the words do not tell, nothing
    is concluded.
    """
    told: str | None = None
    inside: str | None = None
    for line in (line for text in texts for line in text.splitlines()):
        for address in _addresses_in(line):
            if _THEIRS.search(line):
                inside = inside or address
            elif address != peer and (address == local or _OURS.search(line)):
                told = told or address
    return told, inside if inside != peer else None


def _addresses_in(line: str) -> list[str]:
    found = []
    for text in (*_FOUR.findall(line), *_SIX.findall(line)):
        try:
            address = ip_address(text)
        except ValueError:
            continue  # a time of day, a version
        mapped = getattr(address, "ipv4_mapped", None)
        if not address.is_unspecified:
            found.append(str(mapped or address))
    return found
