"""What the attacks share: servers with the rights under attack, and the proof that no attack ended in a bug.

All of it is black box, through sockets, as an attacker has it. Whatever an attack does, a `Failed` event, which is an
exception that nobody expected, is a hole of its own; leaked descriptors and threads fail every test anyway.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import pytest

import homeport
from homeport.events.types import Event, Failed
from homeport.testing.client import Client

USER = "mallory"
PASSWORD = "her own"

Paths = Mapping[str, Sequence[str]]


@dataclass
class Target:
    """A server under attack. Mallory may log in; what she may do is the test's business."""

    server: homeport.Server
    root: Path
    clients: ExitStack = field(repr=False)
    heard: list[Event] = field(default_factory=list, repr=False)

    def client(self, user: str | None = USER, password: str = PASSWORD, *, source: str | None = None) -> Client:
        """A strict client, logged in as *user*; None: not logged in."""
        client = Client(self.server.host, self.server.port, source=source)
        self.clients.callback(client.close)
        if user is not None:
            client.login(user, password)
        return client


class Attack(Protocol):
    """Starts a server to attack."""

    def __call__(
        self,
        *,
        access: str | Sequence[str] = "read-write",
        paths: Paths | None = None,
        anonymous: Mapping[str, object] | None = None,
        users: Sequence[Mapping[str, object]] = (),
        root: Path | None = None,
        sections: Mapping[str, Mapping[str, object]] | None = None,
    ) -> Target:
        """Mallory has *access*, but that of *paths* from some paths down."""


@pytest.fixture
def attack(tmp_path: Path) -> Iterator[Attack]:
    """Servers to attack; in the end none of them may have met with an exception that it did not expect."""
    targets: list[Target] = []
    with ExitStack() as servers:

        def start(
            *,
            access: str | Sequence[str] = "read-write",
            paths: Paths | None = None,
            anonymous: Mapping[str, object] | None = None,
            users: Sequence[Mapping[str, object]] = (),
            root: Path | None = None,
            sections: Mapping[str, Mapping[str, object]] | None = None,
        ) -> Target:
            home = root if root is not None else tmp_path / f"home{len(targets)}"
            home.mkdir(exist_ok=True)
            mallory = {
                "name": USER, "password": f"plain:{PASSWORD}", "home": str(home), "access": access,
                "paths": dict(paths or {}),
            }  # fmt: skip
            options: dict[str, object] = {
                "listen": {"addresses": ["127.0.0.1"], "port": 0},
                "data": {"active_port": 0, "passive_ports": "any"},
                "log": {"console": False},
                "limits": {"sessions_per_address": 0},
                "users": [mallory, *({"home": str(home), **one} for one in users)],
            }
            if anonymous is not None:
                options["anonymous"] = {"enabled": True, "home": str(home), **anonymous}
            for name, section in (sections or {}).items():
                former = options.get(name)
                options[name] = {**former, **section} if isinstance(former, dict) else section
            server = homeport.Server(config=homeport.Config.model_validate(options))
            target = Target(server, home, ExitStack())
            server.subscribe(target.heard.append)
            servers.enter_context(server)
            servers.enter_context(target.clients)
            targets.append(target)
            return target

        yield start
    bugs = [event for target in targets for event in target.heard if isinstance(event, Failed)]
    assert not bugs, "\n".join(event.trace for event in bugs)


@pytest.fixture
def descriptors() -> Callable[[], int]:
    """How many descriptors this process, which is the server too, has open."""
    if not os.path.isdir("/proc/self/fd"):
        pytest.skip("there is no /proc here")
    return lambda: len(os.listdir("/proc/self/fd"))
