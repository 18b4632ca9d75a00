"""The server's own secrets inside a shared folder: `homeport serve ~` shares the folder that holds the state, too.

Whoever could read it would have the hashes of all passwords and the certificate's private key; whoever could write it
could make users.
"""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from tests.attacks.conftest import Attack, Target

from homeport.testing.client import Client

STATE = ".local/state/homeport"
DATABASE = f"{STATE}/users.sqlite"


@pytest.fixture
def target(attack: Attack, tmp_path: Path) -> Target:
    home = tmp_path / "everything"
    home.mkdir()
    return attack(root=home, sections={"server": {"state": str(home / STATE)}})


@pytest.fixture
def client(target: Target) -> Client:
    return target.client()


@pytest.mark.parametrize(
    "command",
    [
        "CWD {}", "LIST {}", "NLST {}", "NLST {}/*", "MLSD {}", "MLST {}/users.sqlite", "STAT {}", "LIST -R {}",
        "SIZE {}/users.sqlite", "MDTM {}/users.sqlite", "RETR {}/users.sqlite", "STOR {}/users.sqlite", "STOR {}/new",
        "APPE {}/users.sqlite", "DELE {}/users.sqlite", "MKD {}/new", "RMD {}", "RNFR {}/users.sqlite",
        "SITE CHMOD 777 {}", "SITE CHMOD 666 {}/users.sqlite", "MFMT 20200101000000 {}/users.sqlite",
    ],
)  # fmt: skip
def test_the_state_directory_is_closed_even_to_who_may_do_all(target: Target, client: Client, command: str) -> None:
    (target.root / "door").symlink_to(STATE)
    (target.root / "absolute").symlink_to(target.root / STATE)
    (target.root / "up").symlink_to(".local")
    before = (target.root / DATABASE).read_bytes()
    client.passive()
    for spelling in (STATE, f"/x/../{STATE}", "door", "absolute", "up/state/homeport"):
        reply = client.ask(command.format(spelling))
        assert reply.code in {501, 550}, reply
    assert (target.root / DATABASE).read_bytes() == before
    assert not (target.root / STATE / "new").exists()


@pytest.mark.parametrize("name", [".local", ".local/state", STATE])
def test_nothing_above_it_is_moved_away(target: Target, client: Client, name: str) -> None:
    client.ask(f"RNFR {name}", 350, 550)
    client.ask("RNTO elsewhere", 503, 550)
    assert (target.root / DATABASE).exists()


def test_nothing_is_moved_into_it_or_over_it(target: Target, client: Client) -> None:
    (target.root / "f").write_bytes(b"forged")
    for goal in (DATABASE, f"{STATE}/new", STATE):
        client.ask("RNFR f", 350)
        client.ask(f"RNTO {goal}", 550)
    assert (target.root / DATABASE).read_bytes() != b"forged"


def test_what_lies_around_it_is_shared(target: Target, client: Client) -> None:
    assert client.stor(".local/f", b"mine").complete
    assert client.retr(".local/f").data == b"mine"
    assert client.list_("-R /").complete
    assert client.mlsd(".local/state").complete
    client.ask("RNFR .local/f", 350)
    client.ask("RNTO .local/state/g", 250)
    client.ask("DELE .local/state/g", 250)


def test_a_deep_listing_does_not_look_into_it(client: Client) -> None:
    assert b"users.sqlite" not in client.list_("-R /").data
    client.command("STAT -R /")
    assert b"users.sqlite" not in client.reply().raw


def test_a_home_within_it_is_refused(attack: Attack, tmp_path: Path) -> None:
    state = tmp_path / "state"
    (state / "home").mkdir(parents=True)
    target = attack(
        sections={"server": {"state": str(state)}},
        users=[{"name": "u", "password": "plain:p", "home": str(state)},
               {"name": "v", "password": "plain:p", "home": str(state / "home")}],
    )  # fmt: skip
    for name in ("u", "v"):
        client = target.client(None)
        client.ask(f"USER {name}", 331)
        client.ask("PASS p", 530)


def test_nobody_but_the_owner_reads_what_is_kept(target: Target) -> None:
    for path in (target.root / STATE).iterdir():
        if "cert" not in path.name or "PRIVATE KEY" in path.read_text("latin-1"):
            assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path
    assert stat.S_IMODE((target.root / STATE).stat().st_mode) == 0o700
