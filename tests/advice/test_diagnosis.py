from __future__ import annotations

import errno
from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest

from homeport.advice.attempt import Attempt, Gateway, Mode, Seen
from homeport.advice.causes import Cause, Diagnosis, Side
from homeport.advice.diagnosis import cause_of, diagnose
from homeport.advice.words.table import WORDING

from .attempts import ACTIVE, BEHIND, CLIENT, EXAMPLES, INSIDE, PASSIVE, PRIVATE, ROUTER, SERVER, TRANSLATED

GOLDEN = Path(__file__).parent / "golden/diagnoses.txt"
SENTENCE_OCTETS = 150

V4 = ("198.51.100.7", "192.0.2.66", "10.1.2.3", "172.17.0.1", "100.64.0.9", "127.0.0.1")
V6 = ("2001:db8:ffff:ffff:ffff:ffff:ffff:fff7", "fd00::7", "fe80::7%eth0", "::1")


def every_attempt() -> Iterator[Attempt]:
    """All modes and all that can be seen, with every kind of address at each place that a rule looks at."""
    for mode, seen, addresses in product(Mode, Seen, (V4, V6)):
        for peer, local, other in product(addresses, repeat=3):
            base = Attempt(
                mode=mode,
                seen=seen,
                peer=(peer, 65535),
                local=(local, 21),
                port=65535,
                seconds=604800,
                reason="because",
                passive_ports=20,
                octets=2**63,
                resets=(30, 30, 30),
            )
            if mode.passive:
                yield replace(base, announced=other if mode.names_address else None, strangers=(other,))
            elif mode is Mode.DEFAULT:
                yield replace(base, dialled=peer)
            else:
                yield replace(base, requested=(other, 65535), dialled=peer, source_port=20)


def variants(attempt: Attempt) -> Iterator[Attempt]:
    """The facts that come on top of any attempt."""
    yield attempt
    yield replace(attempt, gateway=Gateway.SUSPECTED, control_protected=True)
    yield replace(attempt, gateway=Gateway.SUSPECTED, outside="100.64.1.1")
    yield replace(attempt, gateway=Gateway.MEDDLED, received="10.9.9.9")
    yield replace(attempt, outside="192.0.2.1", source_failure="Address already in use", resets=(1, 2, 3))
    yield replace(attempt, error=errno.EPERM, strangers=(), resets=())


def test_every_combination_has_one_diagnosis_and_every_cause_is_reached() -> None:
    reached: set[Cause] = set()
    for attempt in every_attempt():
        for variant in variants(attempt):
            found = diagnose(variant)
            reached.add(found.cause)
            check(found)
    assert reached == set(Cause)


def check(found: Diagnosis) -> None:
    """What is true of every diagnosis."""
    octets = found.sentence.encode()
    assert len(octets) <= SENTENCE_OCTETS, found.sentence
    assert "\n" not in found.paragraph
    assert "\r" not in found.paragraph
    assert not found.sentence.endswith("."), "replies have no full stop here"
    assert found.cures
    assert found.happened.endswith(".")
    assert found.why.endswith(".")
    assert all(cure.endswith(".") for cure in found.cures)
    assert "None" not in found.sentence + found.paragraph


def test_every_cause_has_its_own_words() -> None:
    assert WORDING.keys() == set(Cause)
    assert all(diagnose(attempt).cause is cause_of(attempt) for attempt in EXAMPLES.values())


def test_examples_reach_every_cause() -> None:
    assert {cause_of(attempt) for attempt in EXAMPLES.values()} == set(Cause)


def test_a_sentence_names_no_address_but_the_one_that_the_client_sent() -> None:
    for name, attempt in EXAMPLES.items():
        sentence = diagnose(attempt).sentence
        for secret in {SERVER, INSIDE, ROUTER, CLIENT, "172.17.0.2", "198.51.100.8", "192.168.50.30"}:
            assert secret not in sentence, name
        if attempt.seen is Seen.FOREIGN and attempt.requested is not None:
            assert attempt.requested[0] in sentence, name


def golden() -> str:
    parts = []
    for name, attempt in EXAMPLES.items():
        found = diagnose(attempt)
        parts.append(
            f"== {name}\n{found.cause.value}, {found.side.value}\n{found.sentence}\n"
            f"- {found.happened}\n- {found.why}\n" + "".join(f"{n}. {cure}\n" for n, cure in enumerate(found.cures, 1))
        )
    return "\n".join(parts)


def test_the_words() -> None:
    assert golden() == GOLDEN.read_text("utf-8")


def test_the_paragraph_holds_all_of_it_in_order() -> None:
    found = Diagnosis(Cause.STRANGER, Side.CLIENT, "s", "It happened.", "Why.", ("Do this.", "Do that."))
    assert found.paragraph == "It happened. Why. To mend it at the client: (1) Do this. (2) Do that."
    one = replace(found, cures=("Do this.",))
    assert one.paragraph == "It happened. Why. To mend it at the client: Do this."


EPSV = replace(TRANSLATED, mode=Mode.EPSV, announced=None)


@pytest.mark.parametrize(
    ("row", "attempt", "cause", "side"),
    [
        ("02, 04, 06 PORT", replace(PRIVATE, seen=Seen.FOREIGN), Cause.PRIVATE_REQUESTED, Side.CLIENT),
        ("02 PORT, dialled at the peer", PRIVATE, Cause.PRIVATE_REQUESTED, Side.CLIENT),
        ("05 PASV, EPSV: only 21", PASSIVE, Cause.NOTHING_ARRIVED, Side.SERVER),
        ("09 EPSV", EPSV, Cause.NOTHING_ARRIVED, Side.SERVER_ROUTER),
        ("09, 11, 14, 17 PASV", replace(TRANSLATED, announced=INSIDE), Cause.PRIVATE_ANNOUNCED, Side.SERVER),
        ("10, 13 PASV", TRANSLATED, Cause.NOTHING_ARRIVED, Side.SERVER_ROUTER),
        ("16 PASV", replace(TRANSLATED, announced="203.0.113.99"), Cause.WRONG_ANNOUNCED, Side.SERVER),
        ("19 PASV", replace(TRANSLATED, gateway=Gateway.SUSPECTED), Cause.REWRITTEN, Side.SERVER_ROUTER),
        (
            "28 EPSV: the helper is blind",
            replace(EPSV, control_protected=True, gateway=Gateway.SUSPECTED),
            Cause.NOTHING_ARRIVED,
            Side.SERVER_ROUTER,
        ),
        ("32 PASV", replace(TRANSLATED, peer=("192.168.50.30", 1)), Cause.HAIRPIN, Side.SERVER),
        ("34 PASV, the router hides the client", replace(TRANSLATED, peer=(ROUTER, 1)), Cause.HAIRPIN, Side.SERVER),
        ("36 PASV", EXAMPLES["PASV over IPv6"], Cause.PASV_IPV6, Side.CLIENT),
        (
            "37 EPRT",
            replace(
                ACTIVE, mode=Mode.EPRT, peer=("2001:db8:1::7", 1), local=("2001:db8:2::4", 21),
                requested=("2001:db8:1::7", 5000), dialled="2001:db8:1::7",
            ),
            Cause.TIMED_OUT,
            Side.CLIENT_ROUTER,
        ),
    ],
)  # fmt: skip
def test_the_cells_of_the_truth_table_that_fail(row: str, attempt: Attempt, cause: Cause, side: Side) -> None:
    found = diagnose(attempt)
    assert (found.cause, found.side) == (cause, side), row


@pytest.mark.parametrize(
    ("resets", "filtered"),
    [
        ((), False),
        ((5,), False),
        ((5, 5), False),
        ((5, 5, 5), True),
        ((2, 5, 5, 5), True),
        ((5, 5, 5, 6), False),
        ((30, 30, 30), True),
        ((31, 31, 31), False),
    ],
)
def test_resets_at_the_same_command_are_a_filter(resets: tuple[int, ...], filtered: bool) -> None:
    cause = cause_of(replace(PASSIVE, seen=Seen.CONTROL_RESET, resets=resets))
    assert cause is (Cause.CONTROL_FILTERED if filtered else Cause.CONTROL_LOST)


@pytest.mark.parametrize(
    ("peer", "cause"),
    [
        ("198.51.100.7", Cause.BRIDGE_ANNOUNCED),
        ("172.17.0.1", Cause.BRIDGE_ANNOUNCED),  # the proxy of a container's host
        ("172.17.0.9", Cause.NOTHING_ARRIVED),  # a neighbour on the bridge, or an office that uses the range
        ("192.168.1.9", Cause.NOTHING_ARRIVED),
    ],
)
def test_a_bridge_is_one_only_where_it_cannot_be_a_network(peer: str, cause: Cause) -> None:
    attempt = replace(PASSIVE, peer=(peer, 1), local=("172.17.0.2", 21), announced="172.17.0.2")
    assert cause_of(attempt) is cause


def test_a_source_port_matters_only_to_who_drops() -> None:
    lost = replace(ACTIVE, source_failure="Permission denied")
    assert cause_of(lost) is Cause.SOURCE_PORT
    assert cause_of(replace(lost, seen=Seen.REFUSED)) is Cause.REFUSED


def test_a_private_address_of_the_clients_own_is_no_fault() -> None:
    near = replace(ACTIVE, peer=(BEHIND, 1), requested=(BEHIND, 5000), dialled=BEHIND)
    assert cause_of(near) is Cause.TIMED_OUT
