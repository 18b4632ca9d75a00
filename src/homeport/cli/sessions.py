"""`homeport sessions`: who is connected to the running server, both connections of each as arrows.

    #7  bob  from 203.0.113.9 for 2 min 5 s
        control  203.0.113.9:40213 ───▶ 192.0.2.1:21
        data     203.0.113.9:40217 ───▶ 192.0.2.1:50003   EPSV, 53.7 MB in 12.3 s, 4.37 MB/s: download of /a.iso

An arrow goes from who dialled. A dotted one is agreed on, and not there yet.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

import click

from homeport.advice.address import kind
from homeport.events.text import duration, endpoint, rate, size, visible
from homeport.server.asking import AskingFailed, NotRunning, ask

from .state import State, state_option

_PAUSE = 1.0
"""Seconds between two looks of --watch."""

View = Mapping[str, Any]
"""A session as the console tells it: the fields of `server.view.SessionView`."""


@click.command(short_help="Show who is connected, and both connections of each.")
@state_option
@click.option("--json", "as_object", is_flag=True, help="Print the sessions as JSON.")
@click.option("--watch", is_flag=True, help="Show them again every second, until Ctrl-C.")
@click.option("--kick", "number", type=int, metavar="NUMBER", help="End the session with this number.")
def command(state: str | None, as_object: bool, watch: bool, number: int | None) -> None:
    """Show the sessions of the running server: addresses and ports of both connections, who dialled, what is moving.

    The server is asked through a socket in its state directory, so this works for the user who runs it, and for
    root; not on Windows, which lacks such sockets.
    """
    folder = State.at(state).folder
    if number is not None:
        if not _asked(folder, {"ask": "kick", "session": number})["ended"]:
            raise click.ClickException(f"there is no session {number}")
        click.echo(f"Session {number} was ended.")
        return
    while True:
        views: list[View] = _asked(folder, {"ask": "sessions"})["sessions"]
        if as_object:
            click.echo(json.dumps(views) if watch else json.dumps(views, indent=2))
        else:
            if watch and sys.stdout.isatty():
                click.clear()
            click.echo(render(views), nl=False)
        if not watch:
            return
        time.sleep(_PAUSE)


def _asked(folder: str, request: Mapping[str, object]) -> dict[str, Any]:
    try:
        return ask(folder, request)
    except NotRunning as error:
        raise click.ClickException(f"{error}. Name its state directory with --state.") from error
    except AskingFailed as error:
        raise click.ClickException(str(error)) from error


def render(views: Sequence[View]) -> str:
    """The text, LF at the end of each line."""
    if not views:
        return "Nobody is connected.\n"
    return "\n".join(_session(view) for view in views)


def _session(view: View) -> str:
    who = visible(view["user"]) if view["user"] is not None else "not logged in"
    client = f", {visible(view['client'])}" if view["client"] else ""
    head = f"#{view['number']}  {who}  from {view['peer'][0]} for {duration(view['seconds'])}{client}"
    lines = [head, _connection("control", view["peer"], view["local"], "rightwards", _control(view))]
    data = view["data"]
    if data is not None:
        way = ("rightwards" if data["passive"] else "leftwards") if data["made"] else "agreed"
        lines.append(_connection("data", data["client"], data["server"], way, _data(view, data)))
        if way == "agreed":
            lines[-1] = lines[-1].replace("····", "···▶" if data["passive"] else "◀···")
    lines += [f"         {note}" for note in translations(view)]
    return "".join(f"{line}\n" for line in lines)


_ARROWS = {"rightwards": "───▶", "leftwards": "◀───", "agreed": "····"}


def _connection(name: str, client: Sequence[Any], server: Sequence[Any], way: str, text: str) -> str:
    line = f"    {name:<7}  {_end(client):<21} {_ARROWS[way]} {_end(server):<21}  {text}"
    return line.rstrip()


def _end(end: Sequence[Any]) -> str:
    address, port = str(end[0]), int(end[1])
    return endpoint(address, port) if port else f"{endpoint(address, 0)[:-1]}…"


def _control(view: View) -> str:
    moved = []
    if view["transfers"]:
        count = view["transfers"]
        moved.append(f"{count} transfer{'s' if count > 1 else ''}")
    if view["octets_in"]:
        moved.append(f"{size(view['octets_in'])} in")
    if view["octets_out"]:
        moved.append(f"{size(view['octets_out'])} out")
    return ", ".join([*([str(view["tls"])] if view.get("tls") else []), *moved])


def _data(view: View, data: Mapping[str, Any]) -> str:
    parts = [data["mode"] or "the default data port"]
    if not data["made"]:
        parts.append(_waiting(view, data))
    else:
        if data.get("protected"):
            parts.append("TLS")
        parts.append(f"{size(data['octets'])} in {duration(data['seconds'])}")
        speed = rate(data["octets"], data["seconds"])
        if speed:
            parts.append(speed)
    text = ", ".join(parts)
    return f"{text}: {visible(view['activity'])}" if view["activity"] else text


def _waiting(view: View, data: Mapping[str, Any]) -> str:
    who = "the client" if data["passive"] else "this server"
    told = data["announced"]
    named = f", {told} was announced" if told is not None and told != data["server"][0] else ""
    return f"{'waiting for' if view['activity'] else 'agreed on'}: {who} dials{named}"


def translations(view: View) -> list[str]:
    """What is seen of routers that translate, on both sides."""
    peer, local, data = view["peer"][0], view["local"][0], view["data"]
    notes = []
    if view["inside"] is not None and view["inside"] != peer:
        notes.append(f"the client is behind a router: in its own network it is {view['inside']}")
    if kind(peer).outside and not kind(local).outside:
        notes.append(f"a router before this server translates: {local} is {kind(local).value}")
    if data is not None and data["made"] and data["client"][0] != peer:
        notes.append(f"the data connection is with {data['client'][0]}, the control connection with {peer}")
    return notes
