"""The console: one line per event, aligned, coloured on a terminal only, and no line that a client made up."""

from __future__ import annotations

import io
import logging
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeport.events import types
from homeport.events.console import Console, Tone, sentence, wants_colour
from homeport.events.types import (
    CloseReason,
    DataConnectionFailed,
    Direction,
    Event,
    LoggedIn,
    SessionClosed,
    SessionOpened,
    TreeChanged,
    Warned,
)

from .samples import AT, LOCAL, ONE_OF_EACH, PEER, transfer

GOLDEN = """\
14:03:07  serving on 0.0.0.0:21, [::]:21; passive ports 50000-50002, 50005
14:03:07  port 50003 is in use
14:03:07  192.0.2.7 #3              connected
14:03:07  198.51.100.9              refused: too many sessions from 198.51.100.9
14:03:07  eve@192.0.2.7 #3          login failed: wrong name or password
14:03:07  bob@192.0.2.7 #3          logged in
14:03:07  bob@192.0.2.7 #3          CWD /photos  ->  250 OK
14:03:07  bob@192.0.2.7 #3          encrypted as a.test: TLSv1.3, TLS_AES_256_GCM_SHA384
14:03:07  bob@192.0.2.7 #3          TLS handshake failed: unsupported protocol
14:03:07  bob@192.0.2.7 #3          downloaded  /photos/a.jpg  3.20 MB in 0.31 s, 10.3 MB/s
14:03:07  bob@192.0.2.7 #3          upload failed  /photos/a.jpg  after 512 kB in 3.10 s: the client aborted
14:03:07  bob@192.0.2.7 #3          appended to  /photos/a.jpg  10 B in 4 ms
14:03:07  bob@192.0.2.7 #3          listed  /photos  700 B in 2 ms
14:03:07  bob@192.0.2.7 #3          no data connection (passive, announced 203.0.113.4:50001): nobody connected in 30 s
14:03:07  bob@192.0.2.7 #3          no data connection (active, to [2001:db8::7]:5000): connection refused
14:03:07  bob@192.0.2.7 #3          passive port 203.0.113.4:50001 was asked for and not used, for 0.20 s
14:03:07  bob@192.0.2.7 #3          no data connection (passive, announced 203.0.113.4:50001): Nothing arrived in 30 s.
          The router forwards port 21.
14:03:07  bob@192.0.2.7 #3          cut after EPSV: They were reset after command 5, 3 times in a row.
          A firewall cuts them.
14:03:07  198.51.100.9              closed an unexpected connection to passive port 50001
14:03:07  bob@192.0.2.7 #3          renamed  /a  to  /b
14:03:07  bob@192.0.2.7 #3          deleted  /b
14:03:07  bob@192.0.2.7 #3          internal error 4f2a: ZeroDivisionError: division by zero
14:03:07  bob@192.0.2.7 #3          gone after 1 min 5 s: quit
14:03:07  the external address is 11.0.50.20 (told by the router, by PCP)
14:03:07  the router 192.168.1.1 forwards 21, 50000, 50001 as 61001 (PCP)
14:03:07  the external address is not known any more
14:03:07  removed 3 kept uploads, 1.20 GB, older than 7 days, from /srv/bob
14:03:07  stopping; 2 connected
14:03:07  stopped
"""


def written(*events: Event, colour: bool = False) -> str:
    stream = io.StringIO()
    console = Console(stream, colour=colour)
    for event in events:
        console(event)
    return stream.getvalue()


def test_one_line_of_each_kind() -> None:
    assert written(*ONE_OF_EACH) == GOLDEN


def test_every_kind_of_event_has_words_of_its_own() -> None:
    kinds = {one for one in vars(types).values() if isinstance(one, type) and issubclass(one, Event)}
    assert {type(event) for event in ONE_OF_EACH} == kinds - {Event}
    for event in ONE_OF_EACH:
        assert sentence(event).text != type(event).__name__


def failed(diagnosis: str, session: int = 3) -> DataConnectionFailed:
    return DataConnectionFailed(
        at=AT,
        session=session,
        peer=PEER,
        user="bob",
        passive=True,
        target=("203.0.113.4", 50001),
        cause="Nothing arrived.",
        diagnosis=diagnosis,
        side="the server",
        advice="Because of this. To mend it at the server: " + "(1) do that. " * 6 + "(2) end\x1b[31m.",
    )


def test_advice_stands_below_its_line_once_for_each_cause_in_a_session() -> None:
    line = "14:03:07  bob@192.0.2.7 #3          no data connection (passive, announced 203.0.113.4:50001): "
    line += "Nothing arrived.\n"
    advice = (
        "          Because of this. To mend it at the server: (1) do that. (1) do that. (1) do that. (1) do that. (1)\n"
        "          do that. (1) do that. (2) end\\x1b[31m.\n"
    )
    gone = SessionClosed(at=AT, session=3, peer=PEER, user="bob", reason=CloseReason.QUIT, seconds=1)
    assert written(failed("a"), failed("a"), failed("b"), failed("a")) == (line + advice + line + line + advice + line)
    assert written(failed("a"), gone, failed("a")).count(advice) == 2
    assert written(failed("a"), failed("a", session=4)).count(advice) == 2


def test_a_long_name_moves_its_own_line_only() -> None:
    long = LoggedIn(at=AT, session=4, peer=("2001:db8:85a3::8a2e:370:7334", 1), user="a-long-name", anonymous=True)
    assert written(long) == "14:03:07  a-long-name@2001:db8:85a3::8a2e:370:7334 #4  logged in as a guest\n"


def test_the_date_stands_between_two_days_only() -> None:
    assert written(Warned(at=AT, text="one"), Warned(at=AT + 60, text="two"), Warned(at=AT + 86400, text="three")) == (
        "14:03:07  one\n14:04:07  two\nTuesday, 2025-11-25\n14:03:07  three\n"
    )


def test_a_failed_login_gives_nobody_a_name() -> None:
    events = (ONE_OF_EACH[2], ONE_OF_EACH[4], ONE_OF_EACH[6])
    assert written(*events).splitlines()[-1].startswith("14:03:07  192.0.2.7 #3   ")


def test_what_is_known_of_a_session_is_forgotten_with_it() -> None:
    console = Console(io.StringIO(), colour=False)
    for number in range(100):
        console(SessionOpened(at=AT, session=number, peer=PEER, local=LOCAL))
        console(LoggedIn(at=AT, session=number, peer=PEER, user="bob", anonymous=False))
        console(SessionClosed(at=AT, session=number, peer=PEER, user="bob", reason=CloseReason.QUIT, seconds=1))
        console(transfer())
    assert not console._addresses
    assert not console._users


def test_colour_is_one_pair_of_sequences_around_the_words() -> None:
    assert written(Warned(at=AT, text="careful"), colour=True) == "\x1b[2m14:03:07\x1b[0m  \x1b[33mcareful\x1b[0m\n"
    assert sentence(transfer(error="lost")).tone is Tone.BAD
    assert sentence(transfer()).tone is Tone.GOOD


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("environment", "coloured"),
    [({}, True), ({"NO_COLOR": ""}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)],
)
def test_colour_only_on_a_terminal_that_wants_it(
    environment: dict[str, str], coloured: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert wants_colour(Terminal()) is coloured
    assert not wants_colour(io.StringIO())


octets = st.binary(min_size=1, max_size=60).map(lambda raw: raw.decode("utf-8", "surrogateescape"))
evil = st.one_of(st.text(min_size=1), octets, st.text("\r\n\x0b\x1b[]\x85\u2028\u202e\udc85\udc9b a", min_size=1))


@given(path=evil, user=evil, error=st.one_of(st.none(), evil), target=evil, colour=st.booleans())
def test_no_name_makes_a_second_line_or_moves_the_cursor(
    path: str, user: str, error: str | None, target: str, colour: bool
) -> None:
    from homeport.events.types import Change, LoginFailed

    for event in (
        transfer(path, user=user, error=error),
        TreeChanged(at=AT, session=3, user=user, change=Change.RENAMED, path=path, target=target),
        LoginFailed(at=AT, session=3, peer=PEER, user=user, reason=target),
    ):
        text = written(event, colour=colour)
        assert text.endswith("\n")
        if colour:
            for tone in Tone:
                text = text.replace(f"\x1b[{tone.value}m", "")
            text = text.replace("\x1b[0m", "")
        assert text[:-1].isprintable()
        assert len(text.splitlines()) == 1


def test_a_terminal_of_another_encoding_gets_escapes() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    Console(stream, colour=False)(transfer("/größe"))
    assert b"/gr\\xf6\\xdfe" in raw.getvalue()
    stream.close()


def test_a_terminal_that_is_gone_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    stream = io.StringIO()
    console = Console(stream, colour=False)
    stream.close()
    with caplog.at_level(logging.ERROR, "homeport.events"):
        console(transfer())
        console(transfer())
    assert [record.message[:30] for record in caplog.records] == ["the console cannot be written;"]


def test_lines_of_many_threads_do_not_mix() -> None:
    class Slow(io.StringIO):
        def write(self, text: str) -> int:
            return sum(super(Slow, self).write(one) for one in text)

    stream = Slow()
    console = Console(stream, colour=False)

    def twenty() -> None:
        for _ in range(20):
            console(transfer())

    threads = [threading.Thread(target=twenty) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(stream.getvalue().splitlines()) == {written(transfer()).rstrip("\n")}


def test_a_listing_is_quiet_news() -> None:
    assert sentence(transfer(direction=Direction.LISTING)).tone is Tone.QUIET
