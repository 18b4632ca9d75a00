"""Conversation: reads one client's commands, has them carried out, and answers in order.

`run` carries out what has come in. Between two commands there is no stack to keep: `run` returns True, and the caller
parks the conversation until more comes or its deadline passes (DESIGN: idle sessions cost no thread). Wherever it has
to wait in between, it waits by the post of its services, which serves the other sessions meanwhile. Of thousands of
commands that a client sends ahead some are carried out in a turn, and the next when the others had theirs (`waiting`).

A transfer that waits for its client is no reason to keep a thread either: the conversation is parked with its data
connection `beside` the control connection, and the command that is under way goes on when one of them has something to
say, or its deadline passes. While the thread is inside the data side, that looks at the control connection itself; both
call `attend`. ABOR ends the transfer and is then answered itself, so the client reads 426 and 226 (RFC 959 §4.1.3);
STAT and NOOP are answered at once; everything else, QUIT above all, waits for its turn. Once something waits, what
comes behind it waits too, but for ABOR: replies come in the order of their commands (RFC 959 §4.2).
"""

from __future__ import annotations

import socket
import time
from functools import partial
from typing import Final

from homeport.data.watch import ControlGone
from homeport.events.types import (
    CloseReason,
    CommandAnswered,
    HandshakeFailed,
    SessionClosed,
    SessionOpened,
    SessionProtected,
)
from homeport.net.layer import HandshakeError, Layer, NoCertificate, NotTls
from homeport.protocol.command import Command
from homeport.protocol.reply import Code, Reply
from homeport.protocol.telnet import LineTooLong

from .commands import Context
from .control import Control
from .dispatch import VERBS, dispatch, resume
from .lines import bare_verb, is_foreign, shown
from .lost import ControlLost
from .protection import Protection, Switch
from .services import Services
from .state import Session
from .underway import Underway, Wake
from .verbs.about import transfer_status

_TOO_LONG: Final = Reply(Code.UNKNOWN_COMMAND, "The command line is too long")
_TURN: Final = 16
"""Most commands that are carried out in a turn, of those that one client has sent ahead."""
_NOOP: Final = Reply(Code.OK, "Still transferring")
_DEAF_SECONDS: Final = 0.5
"""Between two looks whether a session was ended whose control connection is not waited for any more."""


class Conversation:
    """One client's control connection and everything said on it."""

    __slots__ = (
        "_command", "_command_at", "_context", "_control", "_deaf", "_due", "_greeted", "_login_from", "_reason",
        "_services", "_underway", "beside", "busy", "sending", "session", "waiting",
    )  # fmt: skip

    def __init__(
        self,
        connection: socket.socket,
        number: int,
        peer: tuple[str, int],
        local: tuple[str, int],
        services: Services,
    ) -> None:
        self._services = services
        now = services.clock.monotonic()
        self.session = Session(number, peer, local, now)
        policy = services.policy
        self._control = Control(connection, policy.line_octets, policy.data_seconds, services.post)
        self._context = Context(self.session, services, self._announce, self._interrupted, self, VERBS)
        self._command_at = now
        self._login_from = now
        self._due = now + policy.login_seconds
        self._reason: CloseReason | None = None
        self._greeted = False
        self._deaf = False
        # What is carried out, while it waits for its data connection.
        self._underway: Underway | None = None
        self._command: Command | None = None
        self.busy = False
        """Whether a command is being carried out."""
        self.beside = -1
        """The data connection that a parked one waits for, too; -1: none."""
        self.sending = False
        """Whether it waits for that to take octets, and not for octets from it."""
        self.waiting = False
        """Whether commands were left for the next turn, so that `run` is to be called again without any input."""

    def fileno(self) -> int:
        """The control connection's descriptor; -1 once nothing more can come.

        Asked before every wait, so this is where a 150 that was held back goes out.
        """
        control = self._control
        if control.held:
            try:
                control.flush()
            except ControlLost:
                pass  # whoever waits for the descriptor learns it from `attend`
        return -1 if self._deaf and not self._is_ended() else control.descriptor

    def ready(self, reading: tuple[int, ...], writing: tuple[int, ...], seconds: float) -> list[int]:
        post = self._services.post
        if not self._deaf or -1 not in reading:
            return post.ready(reading, writing, seconds)
        # Whoever does not hear the control connection has to look whether `end` was called.
        until = time.monotonic() + seconds
        while not (found := post.ready(reading, writing, min(seconds, _DEAF_SECONDS))) and seconds > _DEAF_SECONDS:
            if self._is_ended():
                return [self._control.descriptor]
            seconds = until - time.monotonic()
        return found

    @property
    def deadline(self) -> float:
        """Monotonic seconds at which `expire` is to be called, if a parked one has nothing to do until then.

        That of the login, else of the idle time; or of the transfer that is under way.
        """
        return self._due

    def _deadline(self) -> float:
        session, policy = self.session, self._services.policy
        if session.user is None:
            return self._login_from + policy.login_seconds
        return self._command_at + (policy.idle_seconds if session.idle is None else session.idle)

    # -- from the thread that works for this client ---------------------------------------------------

    def run(self, wake: Wake = Wake.INPUT) -> bool:
        """Read once, and carry out what has come. True: park me until more comes; False: it is over and closed.

        The first time the greeting is said, and nothing is read; nor is it while commands are `waiting`. What is under
        way, if something is, goes on as *wake* says.
        """
        try:
            if self._carry_on(wake):
                return True
        except ControlLost:
            self._context.closing = self._context.closing or self._reason or CloseReason.CLIENT
            if self._reason is not None:
                self._say_goodbye(self._reason, _FAREWELLS.get(self._reason, "The session was ended"))
        except HandshakeError as error:
            self._handshake_failed(error)
        except BaseException:
            self._close(CloseReason.LOST)
            raise
        self._close(self._context.closing or CloseReason.CLIENT)
        return False

    def _carry_on(self, wake: Wake) -> bool:
        """What `run` does, but for the end: False says that this is it."""
        control, underway = self._control, self._underway
        if underway is not None:
            if not self._resume(underway, wake):
                return True
            if self._context.closing is not None or self._services.stopping.is_set():
                return self._say_last()
        elif self._greeted:
            self._go_on()
        elif not self._open():
            return False
        turn = _TURN
        while (line := control.next_line()) is not None:
            if not self._answer(line):
                return True
            if self._context.closing is not None or self._services.stopping.is_set():
                return self._say_last()
            turn -= 1
            if turn <= 0 and control.waiting and not self._deaf:
                self.waiting = True
                return True
        if control.ended:
            control.peek()
        if self._services.clock.monotonic() < self._due:
            return True
        # What is no command, and there may be much of it, wins no time.
        self._let_go()
        return False

    def _say_last(self) -> bool:
        """The reply that was said is the last, but perhaps for a farewell. It is never to be parked again: False."""
        if self._context.closing is None:
            # What was being carried out when the stop began is answered; nothing more is begun.
            self._say_goodbye(CloseReason.SHUTDOWN, _FAREWELLS[CloseReason.SHUTDOWN])
        return False

    def proceed(self) -> bool:
        """As `run`, because the connection `beside` is ready."""
        return self.run(Wake.DATA)

    def _go_on(self) -> None:
        """With the commands that were left, or what has come in. ControlLost if somebody has ended the session."""
        if self._is_ended():
            raise ControlLost("the session was ended")  # as in `attend`, not only at the end of input
        if self.waiting:
            self.waiting = False
        else:
            self._control.peek()

    def expire(self) -> bool:
        """A parked client's deadline has passed: 421, then close (RFC 1123 §4.1.3.2), or its transfer has stalled.

        True: park me until more comes.
        """
        if self._underway is not None:
            return self.run(Wake.DEADLINE)
        try:
            self._let_go()
        finally:
            self._close(self._context.closing or CloseReason.IDLE)
        return False

    def _open(self) -> bool:
        """The greeting, and TLS before it where the port is one for that. False: there is no session."""
        self._greeted = True
        session, events = self.session, self._services.events
        if not events.silent:
            events.publish(
                SessionOpened(
                    at=self._services.clock.time(), session=session.number, peer=session.peer, local=session.local
                )
            )
        tls = self._services.tls
        if tls is not None and self._services.policy.tls.implicit:
            try:
                switch = Switch(tls.control(session.peer[0], None), private=True)
            except NoCertificate as error:
                self._handshake_failed(HandshakeError(str(error)))
                return False
            self._begin_tls(switch, greets=True)
        else:
            self._greet()
        return True

    def _greet(self) -> None:
        first, *rest = self._services.policy.banner.split("\n")
        self._control.say(Reply(Code.READY, first, tuple(rest[:-1]), rest[-1]) if rest else Reply(Code.READY, first))

    def _answer(self, line: bytes | LineTooLong) -> bool:
        """Carry out *line* and answer. False: it is under way, and the answer comes later."""
        control = self._control
        if isinstance(line, LineTooLong):
            self._command_at = self._services.clock.monotonic()
            self._due = self._deadline()
            control.say(_TOO_LONG)
            return True
        if not line:
            return True  # NAT boxes and people send empty lines; no answer keeps both sides in step (D-23)
        command = Command.parse(line)
        logged_in = self.session.user is not None
        if not logged_in and is_foreign(command):
            self._say_goodbye(CloseReason.ABUSE, "This is an FTP server")
            return True
        self.busy = True
        reply = dispatch(self._context, command)
        if isinstance(reply, Underway):
            self._command = command
            self._suspend(reply)
            return False
        self._conclude(command, reply, logged_in=logged_in)
        return True

    def _conclude(self, command: Command, reply: Reply, *, logged_in: bool) -> None:
        """*command* has been carried out for somebody who was *logged_in* then."""
        self.busy = False
        # A transfer counts as activity: the idle time starts at its end (RFC 1123 §4.1.3.2).
        self._command_at = self._services.clock.monotonic()
        if logged_in and self.session.user is None:
            self._login_from = self._command_at  # REIN or USER: the next login has its own time
        self._due = self._deadline()
        self._control.say(reply)
        if self._context.switch is not None:
            self._switch()
        events = self._services.events
        if events.commands:
            events.publish(CommandAnswered(
                at=self._services.clock.time(), session=self.session.number, line=shown(command), code=reply.code,
                text=reply.text,
            ))  # fmt: skip

    def _suspend(self, underway: Underway) -> None:
        """It waits for its data connection, and the conversation is to be parked with that."""
        transfer = underway.transfer
        self._underway = underway
        self.beside, self.sending = transfer.fileno(), transfer.writing
        self._due = transfer.deadline

    def _resume(self, underway: Underway, wake: Wake) -> bool:
        """What was under way goes on. False: it still is."""
        reply = resume(self._context, underway, wake)
        if reply is None:
            self._suspend(underway)
            return False
        command, self._command, self._underway = self._command, None, None
        self.beside = -1
        if command is not None:
            self._conclude(command, reply, logged_in=True)
        return True

    # -- TLS on the control connection -----------------------------------------------------------------------

    def _switch(self) -> None:
        """What AUTH, CCC or REIN asked for, now that the reply has been sent as the connection was."""
        switch, self._context.switch = self._context.switch, None
        if switch is None or switch.layer is None:
            self._control.unprotect()
        else:
            self._begin_tls(switch)

    def _begin_tls(self, switch: Switch, *, greets: bool = False) -> None:
        """The handshake begins, for which there is only so much time. *greets*: nothing was said to the client yet."""
        layer, services = switch.layer, self._services
        if layer is not None:
            self._due = services.clock.monotonic() + services.policy.tls.handshake_seconds
            self._control.protect(layer, partial(self._secured, layer, private=switch.private, greets=greets))

    def _secured(self, layer: Layer, *, private: bool, greets: bool) -> None:
        """The handshake is complete."""
        session, services = self.session, self._services
        self._due = self._deadline()
        session.protection = Protection(
            layer,
            services.clock.monotonic(),
            layer.client_certificate(),
            sized=private,
            private=private,
        )
        if not services.events.silent:
            services.events.publish(
                SessionProtected(
                    at=services.clock.time(),
                    session=session.number,
                    peer=session.peer,
                    description=layer.description,
                    resumed=layer.resumed,
                    server_name=layer.server_name,
                )
            )
        if greets:
            self._greet()

    def _handshake_failed(self, error: HandshakeError) -> None:
        """So the session is over (RFC 4217 §10.1)."""
        self._context.closing = CloseReason.TLS_FAILED
        services = self._services
        if not services.events.silent:
            services.events.publish(
                HandshakeFailed(
                    at=services.clock.time(), session=self.session.number, peer=self.session.peer, reason=str(error)
                )
            )
        if isinstance(error, NotTls):
            # Nothing of TLS was seen, so 421 is said in clear.
            self._say_goodbye(CloseReason.TLS_FAILED, "TLS negotiation failed: what you sent is not TLS")

    # -- from inside a transfer; `fileno` and `attend` are the data side's Watch -----------------------------

    def _announce(self, reply: Reply) -> bool:
        """Say 1yz. False if the client had sent ABOR along with the command; what else came along waits for its turn.

        Nobody is told of this input by a descriptor: it was read together with the command. The reply goes out at the
        latest before the first wait for the data connection; a file that is sent without any wait needs one segment
        for 150 and 226 together.
        """
        self._control.hold(reply)
        return not self._abort_came()

    def _abort_came(self) -> bool:
        """Whether ABOR is among the lines that are here. All others wait for their turn."""
        control = self._control
        while (line := control.framed_line()) is not None:
            aborts = bare_verb(line) == b"ABOR"
            control.put_back(line, first=aborts)
            if aborts:
                return True
        return False

    def _interrupted(self) -> bool:
        """Before 1yz, in the middle of long work: whether ABOR has come. All else waits for its turn.

        ControlLost where nobody is left to hear of the result.
        """
        control = self._control
        try:
            while not self._abort_came():
                if not control.peek():
                    return False
            return True
        except ControlLost:
            if not control.will_quit:
                raise
        return False

    def attend(self, octets: int) -> bool:
        """Answer what may be answered during a transfer; False when it is to end (ABOR, or the client is gone)."""
        control = self._control
        if self._is_ended():
            raise ControlGone  # not only at the end of input: who sends on and on never comes to it
        try:
            # One read, whatever else has come: it is the data connection's turn, and that of the others.
            control.peek()
            while (line := control.framed_line()) is not None:
                if not self._during_transfer(line, octets):
                    return False
            if control.ended:
                control.peek()  # nothing will ever report it
        except ControlLost:
            if self._is_ended() or not control.will_quit:
                raise ControlGone from None
            # It said QUIT and closed its side: the result is still to be reported (RFC 959 §4.1.1).
            self._deaf = True
        return True

    def _during_transfer(self, line: bytes | LineTooLong, octets: int) -> bool:
        control = self._control
        verb = bare_verb(line)
        if verb == b"ABOR":
            control.put_back(line, first=True)
            return False
        if control.queued or not self._context.started:
            # Without a 1yz before it, an answer would be taken for the one to the command that waits (PASV for a port).
            control.put_back(line)
        elif verb == b"STAT":
            control.say(transfer_status(self._context, octets))
        elif verb == b"NOOP":
            control.say(_NOOP)
        else:
            control.put_back(line)
        return True

    # -- from any thread ---------------------------------------------------------------------------------

    def end(self, reason: CloseReason) -> None:
        """End the session soon, from any thread: waits end, the verb cleans up, 421 is tried, all is closed."""
        self._reason = reason
        self._control.hang_up()

    def _is_ended(self) -> bool:
        """Asked anew each time: other threads change it."""
        return self._reason is not None

    # -- the end ------------------------------------------------------------------------------------------

    def _let_go(self) -> None:
        """The deadline has passed."""
        if self._control.handshaking:
            seconds = self._services.policy.tls.handshake_seconds
            self._handshake_failed(HandshakeError(f"it was not complete after {seconds:g} seconds"))
        elif self.session.user is None:
            self._say_goodbye(CloseReason.LOGIN_TIMEOUT, "You did not log in in time")
        else:
            self._say_goodbye(CloseReason.IDLE, "Nothing was said for too long")

    def _say_goodbye(self, reason: CloseReason, text: str) -> None:
        """421: the service is closing the control connection (RFC 959 §4.2.1)."""
        self._context.closing = reason
        try:
            self._control.say(Reply(Code.SERVICE_CLOSING, text))
        except ControlLost:
            pass  # the client left first; the reason stays what it was

    def _close(self, reason: CloseReason) -> None:
        session, services = self.session, self._services
        name = session.user.name if session.user is not None else None
        if self._underway is not None:
            self._underway.give_up()
            self._underway = None
        session.release_data()
        session.log_out()
        self._control.close()
        if self._greeted and not services.events.silent:
            services.events.publish(
                SessionClosed(
                    at=services.clock.time(),
                    session=session.number,
                    peer=session.peer,
                    user=name,
                    reason=reason,
                    seconds=services.clock.monotonic() - session.opened,
                )
            )


_FAREWELLS: Final = {
    CloseReason.SHUTDOWN: "The server is stopping",
    CloseReason.KICKED: "The administrator ended this session",
}
