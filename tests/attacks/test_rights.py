"""Rights by path: by no rename, link, race or question does anybody get more than was granted at a path."""

from __future__ import annotations

import pytest
from tests.attacks.conftest import Attack, Target

from homeport.testing.client import Client

SECRET = b"for others only"
NOTHING: list[str] = []


def private(attack: Attack, rights: list[str] | None = None) -> Target:
    """Mallory may do everything, but below /a/private only what *rights* say: nothing as a rule."""
    target = attack(paths={"/a/private": NOTHING if rights is None else rights})
    (target.root / "a/private/deep").mkdir(parents=True)
    (target.root / "a/private/f").write_bytes(SECRET)
    (target.root / "a/private/deep/f").write_bytes(SECRET)
    return target


@pytest.mark.parametrize(
    "command",
    [
        "CWD /a/private", "CWD /a/private/deep", "LIST /a/private", "LIST /a/private/*", "LIST -R /a/private",
        "NLST /a/private", "NLST /a/private/f", "MLSD /a/private", "MLST /a/private", "MLST /a/private/f",
        "STAT /a/private", "STAT -R /a/private/deep", "SIZE /a/private/f", "MDTM /a/private/f", "RETR /a/private/f",
        "STOR /a/private/f", "STOR /a/private/new", "APPE /a/private/f", "APPE /a/private/new", "DELE /a/private/f",
        "RMD /a/private/deep", "MKD /a/private/new", "RNFR /a/private", "RNFR /a/private/f", "RNFR /a/private/deep",
        "MFMT 20200101000000 /a/private/f", "MFF Modify=20200101000000; /a/private/f", "SITE CHMOD 777 /a/private/f",
        "SITE CHMOD 777 /a/private", "SITE UTIME 202001010000 /a/private/f", "LIST /a/./private/../private",
        "LIST //a///private//", "LIST -la /a/private", "RETR a/private/deep/../f", "RETR ../../a/private/f",
    ],
)  # fmt: skip
def test_no_command_gets_into_a_forbidden_place(attack: Attack, command: str) -> None:
    target = private(attack)
    client = target.client()
    client.passive()
    assert client.ask(command).code in {501, 550}
    assert (target.root / "a/private/f").read_bytes() == SECRET
    assert sorted(one.name for one in (target.root / "a/private").iterdir()) == ["deep", "f"]


def test_nothing_is_moved_or_uploaded_into_a_forbidden_place(attack: Attack) -> None:
    target = private(attack)
    (target.root / "mine").write_bytes(b"mine")
    client = target.client()
    for goal in ("/a/private/new", "/a/private/f", "/a/private/deep/new"):
        client.ask("RNFR mine", 350)
        client.ask(f"RNTO {goal}", 550)
    client.ask("REST 4", 350)
    client.ask("STOR /a/private/f", 550)
    client.ask("STOU /a/private/f", 150, 425, 550)  # the directory before the name counts for nothing there
    assert (target.root / "a/private/f").read_bytes() == SECRET
    assert sorted(one.name for one in (target.root / "a/private").iterdir()) == ["deep", "f"]


def test_a_deep_listing_leaves_out_what_may_not_be_listed(attack: Attack) -> None:
    target = private(attack)
    client = target.client()
    for listing in (client.list_("-R /"), client.nlst("-R /"), client.list_("-R a")):
        assert listing.complete
        assert b"deep" not in listing.data
    client.command("STAT -R /")
    assert "deep" not in str(client.reply().raw)


# -- rename -----------------------------------------------------------------------------------------------------------


def test_to_rename_what_lies_above_does_not_open_a_forbidden_place(attack: Attack) -> None:
    target = private(attack)
    client = target.client()
    client.ask("RNFR /a", 350, 550)
    client.ask("RNTO /b", 503, 550)
    assert not client.retr("/b/private/f").complete
    assert (target.root / "a/private/f").read_bytes() == SECRET


def test_a_place_with_fewer_rights_cannot_be_slipped_under_a_grant(attack: Attack) -> None:
    """The other way round: a tree is moved to where a longer prefix would give more rights to a part of it."""
    target = attack(access=["list", "rename"], paths={"/drop/free": ["list", "read"]})
    (target.root / "taken/free").mkdir(parents=True)
    (target.root / "taken/free/f").write_bytes(SECRET)
    client = target.client()
    client.ask("RETR /taken/free/f", 550)
    client.ask("RNFR /taken", 350)
    client.ask("RNTO /drop", 550)
    assert client.retr("/drop/free/f").data == b""


def test_nothing_is_moved_to_where_it_could_be_read(attack: Attack) -> None:
    """A drop box whose files may be given other names must not be emptied by it."""
    target = attack(paths={"/incoming": ["create", "rename"]})
    (target.root / "incoming").mkdir()
    (target.root / "incoming/f").write_bytes(SECRET)
    client = target.client()
    client.ask("RNFR /incoming/f", 350)
    client.ask("RNTO /incoming/g", 250)
    client.ask("RNFR /incoming/g", 350)
    client.ask("RNTO /g", 550)
    client.ask("RETR /incoming/g", 550)
    assert (target.root / "incoming/g").read_bytes() == SECRET


def test_what_may_be_renamed_may_go_where_there_are_no_more_rights(attack: Attack) -> None:
    target = attack(paths={"/incoming": ["create", "rename"]})
    (target.root / "incoming").mkdir()
    (target.root / "f").write_bytes(b"mine")
    client = target.client()
    client.ask("RNFR /f", 350)
    client.ask("RNTO /incoming/f", 250)
    assert (target.root / "incoming/f").read_bytes() == b"mine"


# -- links -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["a/private", "./a/private/deep/.."])
def test_a_link_gives_no_rights_that_its_goal_does_not(attack: Attack, text: str) -> None:
    target = private(attack)
    (target.root / "door").symlink_to(text)
    (target.root / "window").symlink_to("a/private/f")
    client = target.client()
    client.passive()
    for command in (
        "CWD door", "LIST door", "NLST door", "MLSD door", "LIST -R door", "LIST door/*", "STAT door", "RETR door/f",
        "STOR door/f", "STOR door/new", "APPE door/f", "DELE door/f", "MKD door/new", "RMD door/deep", "RNFR door/f",
        "SIZE door/f", "MDTM door/f", "MLST door/f", "RETR window", "STOR window", "APPE window", "SIZE window",
        "SITE CHMOD 777 window", "SITE CHMOD 777 door/f", "MFMT 20200101000000 window",
    ):  # fmt: skip
        assert client.ask(command).code == 550, command
    (target.root / "mine").write_bytes(b"mine")
    client.ask("RNFR mine", 350)
    client.ask("RNTO door/mine", 550)
    assert (target.root / "a/private/f").read_bytes() == SECRET
    assert sorted(one.name for one in (target.root / "a/private").iterdir()) == ["deep", "f"]


def test_a_link_to_where_there_are_rights_works(attack: Attack) -> None:
    target = private(attack, ["list", "read"])
    (target.root / "door").symlink_to("a/private")
    client = target.client()
    client.ask("CWD door", 250)
    assert client.retr("f").data == SECRET
    assert b"deep" in client.list_().data
    client.ask("DELE f", 550)
    client.ask("CWD /", 250)
    client.ask("DELE door", 250)  # the link itself lies where she may do all
    assert (target.root / "a/private/f").read_bytes() == SECRET


# -- races -------------------------------------------------------------------------------------------------------------


def held(client: Client, command: str, content: bytes) -> None:
    """Begin an upload, and leave it under way with *content* in it."""
    address = client.passive()
    client.ask(command, 150)
    client.connect(address).sendall(content)


def let_go(client: Client) -> int:
    """Its end, and the reply's code."""
    client._data_sockets.pop().close()
    return client.final().code


@pytest.mark.parametrize("command", ["STOR f", "APPE f"])
def test_who_may_only_create_does_not_replace_what_came_meanwhile(attack: Attack, command: str) -> None:
    """The drop box: Mallory begins first, the victim is done first, and his file stays his."""
    target = attack(access=["create"], users=[{"name": "victim", "password": "plain:his own", "access": "read-write"}])
    mallory, victim = target.client(), target.client("victim", "his own")
    held(mallory, command, b"forged")
    assert victim.stor("f", SECRET).complete
    assert let_go(mallory) == 451
    assert (target.root / "f").read_bytes() == SECRET


def test_who_may_only_create_resumes_and_does_not_replace(attack: Attack) -> None:
    target = attack(access=["create"], users=[{"name": "victim", "password": "plain:his own", "access": "read-write"}])
    client = target.client()
    held(client, "STOR f", b"first")
    while b" 5 bytes so far" not in client.ask("STAT", 211).raw:
        pass  # until it is on the disk
    client.command("ABOR")
    client.final()
    client.final()
    client._data_sockets.pop().close()
    assert not (target.root / "f").exists()
    assert client.appe("f", b" and second").complete
    assert (target.root / "f").read_bytes() == b"first and second"


@pytest.mark.parametrize("command", ["STOR f", "APPE f", "DELE f", "RETR f", "RNFR f", "REST 1\r\nSTOR f"])
def test_who_may_only_create_changes_nothing_that_is_there(attack: Attack, command: str) -> None:
    target = attack(access=["create"])
    (target.root / "f").write_bytes(SECRET)
    client = target.client()
    client.passive()
    *before, last = command.split("\r\n")
    for line in before:
        client.ask(line, 350)
    client.ask(last, 550)
    assert (target.root / "f").read_bytes() == SECRET


# -- questions ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "command",
    ["STOR {}", "APPE {}", "STOR {}/x", "APPE {}/x", "MKD {}", "MKD {}/x", "CWD {}", "RETR {}", "SIZE {}", "MLST {}",
     "MDTM {}", "RNFR {}", "DELE {}", "RMD {}", "LIST {}", "LIST {}*", "NLST {}", "STAT {}", "MLSD {}",
     "SITE CHMOD 644 {}", "MFMT 20200101000000 {}", "SITE UTIME 202001010000 {}"],
)  # fmt: skip
def test_no_answer_tells_what_there_is_in_a_forbidden_place(attack: Attack, command: str) -> None:
    target = private(attack)
    client = target.client()
    client.passive()
    answers = set()
    for name in ("f", "deep", "none"):
        reply = client.ask(command.format(f"/a/private/{name}"))
        answers.add((reply.code, reply.text.replace(name, "?")))
    assert len(answers) == 1, answers


@pytest.mark.parametrize("command", ["RETR", "LIST", "NLST", "MLSD", "MLST", "SIZE", "MDTM", "STAT"])
def test_a_drop_box_is_not_read(attack: Attack, command: str) -> None:
    target = attack(anonymous={"paths": {"/incoming": ["create"]}})
    (target.root / "incoming").mkdir()
    (target.root / "incoming/f").write_bytes(SECRET)
    client = target.client("anonymous", "guest@example.net")
    client.ask("CWD incoming", 250)
    client.passive()
    for path in ("f", "/incoming/f", "/incoming", ".", "*"):
        assert client.ask(f"{command} {path}").code in {501, 550}
    assert client.stor("mine", b"mine").complete
    client.passive()
    client.ask(f"{command} mine", 501, 550)


@pytest.mark.parametrize(
    "command",
    ["STOR x", "APPE f", "STOU", "MKD x", "RMD d", "DELE f", "RNFR f", "MFMT 20200101000000 f", "SITE CHMOD 777 f",
     "SITE UTIME 202001010000 f", "MFF UNIX.mode=777; f"],
)  # fmt: skip
def test_a_guest_changes_nothing(attack: Attack, command: str) -> None:
    target = attack(anonymous={})
    (target.root / "f").write_bytes(SECRET)
    (target.root / "d").mkdir()
    client = target.client("ftp", "")
    client.passive()
    client.ask(command, 550)
    assert sorted(one.name for one in target.root.iterdir()) == ["d", "f"]
