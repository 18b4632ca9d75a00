"""Run a scenario: the lab, a Homeport in the server's namespace, and the five modes of our client, all at once."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import homeport
from homeport.events.types import DataConnectionFailed, Event

from .clients import FILE, OCTETS, PASSWORD, PROGRAMS, Ends, Mode, Outcome, transfer
from .layout import RANGE
from .scenarios import Scenario
from .topology import Lab

WAIT = 2.0
"""Seconds that the server waits for a data connection. In a lab one comes within some milliseconds, or never."""
_SIDE_BY_SIDE = 6
"""Labs at the same time: most of their time is waiting."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a mode came to in a run, from both ends."""

    word: str
    reply: str
    """The server's last word to the client."""
    cause: str = ""
    """The server's diagnosis, from its event; nothing where all went well or the server does not know of it."""
    side: str = ""
    happened: str = ""
    advice: str = ""


Table = dict[Mode, Found]


def run(scenario: Scenario, directory: Path) -> Table:
    """All five modes of *scenario*. *directory* is for the files of the server, and has to be empty."""
    with serving(scenario, directory) as (lab, events):
        ends = ends_of(scenario, lab)

        def one(mode: Mode) -> Outcome:
            with lab.inside_of(scenario.origin):
                return transfer(ends, mode)

        with ThreadPoolExecutor(len(Mode)) as pool:
            outcomes = dict(zip(Mode, pool.map(one, Mode), strict=True))
    for mode, outcome in outcomes.items():
        stored = directory / f"up-{mode.user}.bin"
        if outcome.word == "ok" and stored.read_bytes() != b"u" * OCTETS:
            raise AssertionError(f"{scenario.title}, {mode.value}: what was stored is not what was sent")
    return {mode: _found(outcome, mode, events) for mode, outcome in outcomes.items()}


def run_all(scenarios: Sequence[Scenario], directory: Path) -> dict[str, Table | BaseException]:
    """By number. One that broke yields its exception, so that the others are told all the same."""

    def one(scenario: Scenario) -> Table | BaseException:
        try:
            return run(scenario, _home(directory, scenario))
        except Exception as error:  # noqa: BLE001 whatever it is, the test of this scenario raises it
            return error

    with ThreadPoolExecutor(_SIDE_BY_SIDE) as pool:
        return dict(zip((scenario.number for scenario in scenarios), pool.map(one, scenarios), strict=True))


def run_program(
    scenarios: Sequence[Scenario], directory: Path, program: str
) -> dict[tuple[str, Mode], tuple[bool, str]]:
    """By number and mode: whether *program* got the file, and what it said."""

    def one(scenario: Scenario) -> list[tuple[bool, str]]:
        with serving(scenario, _home(directory, scenario)) as (lab, _):
            ends = ends_of(scenario, lab)

            def get(mode: Mode) -> tuple[bool, str]:
                done = lab.run(scenario.origin, PROGRAMS[program](ends, mode))
                return done.stdout == _CONTENT, done.stderr.decode(errors="replace")

            with ThreadPoolExecutor(len(Mode)) as pool:
                return list(pool.map(get, Mode))

    with ThreadPoolExecutor(_SIDE_BY_SIDE) as pool:
        found = list(pool.map(one, scenarios))
    return {
        (scenario.number, mode): result
        for scenario, results in zip(scenarios, found, strict=True)
        for mode, result in zip(Mode, results, strict=True)
    }


def _home(directory: Path, scenario: Scenario) -> Path:
    home = directory / scenario.number
    home.mkdir()
    return home


_CONTENT = b"h" * OCTETS


@contextmanager
def serving(scenario: Scenario, directory: Path) -> Iterator[tuple[Lab, list[Event]]]:
    """The lab with a running server, and the events that it publishes."""
    (directory / FILE).write_bytes(_CONTENT)
    events: list[Event] = []
    with ExitStack() as undo:
        lab = undo.enter_context(Lab(scenario.layout))
        server = homeport.Server(config=config(scenario, lab, directory))
        server.subscribe(events.append)
        # Its threads, and all that they start, are born in the server's namespace and stay there.
        with lab.inside_of("server"):
            server.start()
        undo.callback(server.stop, 0.0)
        yield lab, events


def config(scenario: Scenario, lab: Lab, directory: Path) -> homeport.Config:
    external = {"right": lab.outside, "wrong": "203.0.113.199", "none": "none"}[scenario.external]
    data = {"passive_ports": [*RANGE], "external_address": external, **scenario.data}
    users = [{"name": mode.user, "password": f"plain:{PASSWORD}", "home": os.fspath(directory)} for mode in Mode]
    return homeport.Config.model_validate(
        {
            "listen": {"addresses": ["0.0.0.0", "::"], "port": 21},
            "data": data,
            "limits": {"data": WAIT, "sessions_per_address": 0},
            # What is in the state directory is a certificate, made when the server starts.
            "server": {"state": f"{directory}-state"} if scenario.tls else {},
            "log": {"console": False},
            "users": users,
        }
    )


def ends_of(scenario: Scenario, lab: Lab) -> Ends:
    neighbour = scenario.origin == "neighbour"
    if scenario.family == 6:
        host, port = lab.inside6, 21
    elif scenario.inside:
        host, port = lab.inside, 21
    else:
        host, port = lab.outside, lab.port
    own4 = lab.neighbour4 if neighbour else lab.client4
    listen = RANGE if lab.layout.client_side.forwards and not neighbour else None
    return Ends(host, port, own4, listen, scenario.tls)


def _found(outcome: Outcome, mode: Mode, events: Sequence[Event]) -> Found:
    failed = [one for one in events if isinstance(one, DataConnectionFailed) and one.user == mode.user]
    if outcome.word == "ok" or not failed:
        return Found(outcome.word, outcome.reply)
    event = failed[0]
    word = outcome.word
    if word == "425":
        # In active mode it is the server that dials, and knows what became of it.
        word = next((short for long, short in _DIALLED.items() if long in event.cause), word)
    return Found(word, outcome.reply, event.diagnosis, event.side, event.cause, event.advice)


_DIALLED = {"was refused": "refused", "no answer within": "timeout", "no way to it": "unreachable"}
