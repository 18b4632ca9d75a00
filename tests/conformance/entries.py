"""Entries of MLST and MLSD as RFC 3659 §7.2 draws them, read without any tolerance."""

from __future__ import annotations

import re
from dataclasses import dataclass

from homeport.testing.channel import Transfer
from homeport.testing.replies import HeardReply

_ENTRY = re.compile(rb"(?P<facts>(?:[^ =;\r\n]+=[^ ;\r\n]*;)*) (?P<name>[^\n]+)")
_RCHAR = rb"A-Za-z0-9,.:!@#$%^&()_+?/\\'\"-"
_FACT_NAME = re.compile(rb"[%s]+" % _RCHAR)
_FACT_VALUE = re.compile(rb"[%s=]*" % _RCHAR)


@dataclass(frozen=True, slots=True)
class Listed:
    """One entry: the facts by their names in lower case, and the pathname's octets."""

    facts: dict[str, str]
    name: bytes

    def __getitem__(self, fact: str) -> str:
        return self.facts[fact]

    @property
    def perm(self) -> frozenset[str]:
        return frozenset(self.facts["perm"].lower())


def parse(line: bytes) -> Listed:
    """*line* without its end, and for MLST without the space before it."""
    match = _ENTRY.fullmatch(line)
    assert match is not None, line
    facts: dict[str, str] = {}
    for fact in match["facts"].split(b";")[:-1]:
        name, _, value = fact.partition(b"=")
        assert _FACT_NAME.fullmatch(name), line
        assert _FACT_VALUE.fullmatch(value), line
        key = name.decode().lower()
        assert key not in facts, line
        facts[key] = value.decode()
    return Listed(facts, match["name"])


def listed(transfer: Transfer) -> dict[bytes, Listed]:
    """All entries of an MLSD by name; every octet of the data must belong to one."""
    assert transfer.complete, transfer.final
    assert not transfer.reset
    assert transfer.data.endswith(b"\r\n") or not transfer.data
    entries = [parse(line) for line in transfer.data.split(b"\r\n")[:-1]]
    by_name = {entry.name: entry for entry in entries}
    assert len(by_name) == len(entries), "a name stands twice in one listing"
    return by_name


def described(reply: HeardReply) -> Listed:
    """The one entry of an MLST."""
    assert reply.code == 250, reply
    assert len(reply.body) == 1, reply
    assert reply.body[0][:1] == b" "
    return parse(reply.body[0][1:])
