"""The store: which certificate for whom, and files that change under it. Time is moved by hand."""

from __future__ import annotations

import errno
import os
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from homeport.net.certificates import CertificateUnusable, fingerprint_of, read_certificate
from homeport.net.layer import HandshakeError, NoCertificate
from homeport.net.selfsigned import make_own_certificate, own_paths
from homeport.net.store import LOOK_SECONDS, CertificateStore, Pair, Source
from homeport.net.tls import Contexts

from .authority import Made, TestAuthority, replace


class Bench:
    """A store with its clock and its warnings."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.authority = TestAuthority()
        self.now = 1000.0
        self.warnings: list[str] = []
        self.stores: list[CertificateStore] = []

    def pair(self, made: Made, name: str, source: Source = Source.CONFIGURED) -> Pair:
        return Pair(*made.write(self.directory, name), source)

    def store(self, *pairs: Pair) -> CertificateStore:
        store = CertificateStore(pairs, self.warnings.append, monotonic=lambda: self.now)
        self.stores.append(store)
        return store

    def later(self, seconds: float = LOOK_SECONDS) -> None:
        self.now += seconds


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    for store in bench.stores:
        store.close()


def shown(store: CertificateStore, name: str | None) -> list[str]:
    """The fingerprints of what *name* gets."""
    found = []
    for chain in store.chains(name):
        assert chain.key is None
        found.append(read_certificate(chain.certificate).fingerprint)
    return found


def fingerprint(made: Made) -> str:
    return fingerprint_of(ssl.PEM_cert_to_DER_cert(made.certificate.decode()))


# -- which for whom ---------------------------------------------------------------------------------------------


def test_a_name_chooses(bench: Bench) -> None:
    first = bench.authority.make(["ftp.example.net"])
    second = bench.authority.make(["ftp.example.org", "files.example.org"])
    store = bench.store(bench.pair(first, "first"), bench.pair(second, "second"))
    assert shown(store, "ftp.example.net") == [fingerprint(first)]
    assert shown(store, "FILES.Example.Org.") == [fingerprint(second)]
    assert shown(store, None) == [fingerprint(first)], "without a name it is the first"
    assert shown(store, "unknown.example.com") == [fingerprint(first)]


def test_a_wildcard_is_for_one_label(bench: Bench) -> None:
    first = bench.authority.make(["plain.example"])
    wild = bench.authority.make(["*.example.net"])
    exact = bench.authority.make(["ftp.example.net"])
    store = bench.store(bench.pair(first, "first"), bench.pair(wild, "wild"), bench.pair(exact, "exact"))
    assert shown(store, "any.example.net") == [fingerprint(wild)]
    assert shown(store, "ftp.example.net") == [fingerprint(exact)], "the very name counts before a wildcard"
    for other in ("example.net", "a.b.example.net", "*.example.com"):
        assert shown(store, other) == [fingerprint(first)]


def test_two_kinds_of_key_side_by_side(bench: Bench) -> None:
    names = ["ftp.example.net"]
    ecdsa, rsa = bench.authority.make(names), bench.authority.make([*names, "old.example.net"], kind="RSA")
    again = bench.authority.make(names)
    store = bench.store(bench.pair(ecdsa, "ecdsa"), bench.pair(rsa, "rsa"), bench.pair(again, "again"))
    assert shown(store, "ftp.example.net") == [fingerprint(ecdsa), fingerprint(rsa)]
    assert shown(store, None) == [fingerprint(ecdsa), fingerprint(rsa)]
    assert shown(store, "old.example.net") == [fingerprint(rsa)]


def test_a_wildcard_may_bring_the_other_kind_of_key(bench: Bench) -> None:
    ecdsa = bench.authority.make(["ftp.example.net"])
    rsa = bench.authority.make(["*.example.net"], kind="RSA")
    store = bench.store(bench.pair(ecdsa, "ecdsa"), bench.pair(rsa, "rsa"))
    assert shown(store, "ftp.example.net") == [fingerprint(ecdsa), fingerprint(rsa)]


def test_the_client_gets_the_kind_that_it_can_do(bench: Bench) -> None:
    names = ["ftp.example.net"]
    ecdsa, rsa = bench.authority.make(names), bench.authority.make(names, kind="RSA")
    contexts = Contexts(bench.store(bench.pair(ecdsa, "ecdsa"), bench.pair(rsa, "rsa")))
    assert handshake(contexts, "ftp.example.net", ciphers="ECDHE+aRSA") == fingerprint(rsa)
    assert handshake(contexts, "ftp.example.net", ciphers="ECDHE+aECDSA") == fingerprint(ecdsa)
    assert handshake(contexts, None) == fingerprint(ecdsa)


def test_a_self_signed_one_is_shown_only_until_there_is_another(bench: Bench) -> None:
    own = make_own_certificate(str(bench.directory), ["localhost"])
    acme = bench.directory / "acme.pem"
    store = bench.store(Pair(str(acme), None, Source.ACME), Pair(*own_paths(str(bench.directory)), Source.SELF_SIGNED))
    assert shown(store, None) == [own.fingerprint]
    assert [status.source for status in store.statuses(datetime.now(UTC))] == [Source.SELF_SIGNED]
    made = bench.authority.make(["ftp.example.net"])
    replace(acme, made.key + made.certificate)
    assert store.look()
    assert shown(store, None) == shown(store, "localhost") == [fingerprint(made)]
    assert bench.warnings == []


# -- at the start -------------------------------------------------------------------------------------------------


def test_a_bad_pair_is_no_start(bench: Bench) -> None:
    good = bench.pair(bench.authority.make(["a.example"]), "good")
    bad = bench.pair(Made(b"nonsense", b""), "bad")
    with pytest.raises(CertificateUnusable, match=r"bad\.pem holds no whole certificate"):
        bench.store(good, bad)


def test_a_bad_one_of_acme_will_be_asked_for_again(bench: Bench) -> None:
    own = make_own_certificate(str(bench.directory), ["localhost"])
    acme = bench.directory / "acme.pem"
    acme.write_bytes(b"nonsense")
    store = bench.store(Pair(str(acme), None, Source.ACME), Pair(*own_paths(str(bench.directory)), Source.SELF_SIGNED))
    assert shown(store, None) == [own.fingerprint]
    assert len(bench.warnings) == 1
    assert "A new one is asked for" in bench.warnings[0]


def test_what_is_told_about_each(bench: Bench) -> None:
    made = bench.authority.make(["ftp.example.net"], days=20)
    pair = bench.pair(made, "one")
    (status,) = bench.store(pair).statuses(bench.authority.now + timedelta(days=3, hours=1))
    assert (status.names, status.issuer, status.algorithm) == (("ftp.example.net",), "CN=Test CA", "ECDSA")
    assert (status.file, status.fingerprint, status.source) == (pair.certificate, fingerprint(made), Source.CONFIGURED)
    assert status.days_left == 16


# -- files that change ----------------------------------------------------------------------------------------------


def test_a_new_pair_is_taken_at_the_next_look(bench: Bench) -> None:
    old, new = bench.authority.make(["a.example"]), bench.authority.make(["a.example"])
    store = bench.store(bench.pair(old, "one"))
    generation = store.generation
    bench.pair(new, "one")
    bench.later(LOOK_SECONDS / 2)
    assert store.generation == generation, "files are not looked at for every handshake"
    bench.later(LOOK_SECONDS / 2)
    assert store.generation > generation
    assert shown(store, None) == [fingerprint(new)]
    assert bench.warnings == []


def test_what_has_not_changed_is_not_read(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    made = bench.authority.make(["a.example"])
    store = bench.store(bench.pair(made, "one"))
    generation = store.generation
    bench.pair(made, "one")
    bench.later()
    assert store.generation == generation, "the same certificate again is nothing new"
    monkeypatch.setattr("homeport.net.store.read_certificate", None)
    bench.later()
    assert store.generation == generation


def test_a_pair_in_the_middle_of_being_written_changes_nothing_and_says_nothing(bench: Bench) -> None:
    old, new = bench.authority.make(["a.example"]), bench.authority.make(["b.example"])
    store = bench.store(bench.pair(old, "one"))
    replace(bench.directory / "one-key.pem", new.key)
    bench.later()
    assert not store.look()
    assert shown(store, None) == [fingerprint(old)]
    replace(bench.directory / "one.pem", new.certificate)
    bench.later()
    assert store.look()
    assert shown(store, "b.example") == [fingerprint(new)]
    assert bench.warnings == []


@pytest.mark.parametrize("damage", ["half", "other key", "gone"])
def test_what_stays_broken_is_told_once_and_the_old_one_kept(bench: Bench, damage: str) -> None:
    old, new = bench.authority.make(["a.example"]), bench.authority.make(["a.example"])
    store = bench.store(bench.pair(old, "one"))
    match damage:
        case "half":
            (bench.directory / "one.pem").write_bytes(new.certificate[:300])  # in place, as bad tools do
        case "other key":
            replace(bench.directory / "one-key.pem", new.key)
        case "gone":
            os.unlink(bench.directory / "one.pem")
    for _ in range(4):
        bench.later()
        assert not store.look()
    assert len(bench.warnings) == 1
    assert bench.warnings[0].endswith("The certificate that was read before stays in use.")
    assert handshake(Contexts(store), "a.example") == fingerprint(old), "it is even read anew, whatever is in the file"
    bench.pair(new, "one")
    bench.later()
    assert store.look()
    assert shown(store, None) == [fingerprint(new)]


def test_a_file_that_may_be_read_only_later_is_taken_then(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither chmod nor a descriptor that becomes free changes what a `stat` of the file says."""
    old, new = bench.authority.make(["a.example"]), bench.authority.make(["a.example"])
    store = bench.store(bench.pair(old, "one"))

    def short(octets: bytes) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    bench.pair(new, "one")
    with monkeypatch.context() as patch:
        patch.setattr("homeport.net.store.Snapshot", short)
        for _ in range(4):
            bench.later()
            assert not store.look()
    assert shown(store, None) == [fingerprint(old)]
    assert len(bench.warnings) == 1
    bench.later()
    assert store.look()
    assert shown(store, None) == [fingerprint(new)]


def test_a_handshake_that_began_before_a_swap_still_finds_its_files(bench: Bench) -> None:
    store = bench.store(bench.pair(bench.authority.make(["a.example"]), "one"))
    (before,) = store.chains(None)
    bench.pair(bench.authority.make(["a.example"]), "one")
    bench.later()
    assert store.look()
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(before.certificate)
    assert store.chains(None) != (before,)
    bench.later(61)
    store.look()
    assert not os.path.exists(before.certificate), "but not for ever"


def test_many_threads_ask_while_files_change(bench: Bench) -> None:
    """No asker ever finds nothing, or something that cannot be used."""
    store = bench.store(bench.pair(bench.authority.make(["a.example"]), "one"))
    contexts = Contexts(store)
    over = threading.Event()
    found: list[str | BaseException] = []

    def ask() -> None:
        while not over.is_set():
            try:
                found.append(handshake(contexts, "a.example"))
            except (HandshakeError, NoCertificate, OSError, ValueError) as error:
                found.append(error)
                return

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    made = [bench.authority.make(["a.example"]) for _ in range(10)]
    for one in made:
        bench.pair(one, "one")
        bench.later()
        # It is the askers who look.
        until = datetime.now(UTC) + timedelta(seconds=10)
        while shown(store, None) != [fingerprint(one)] and datetime.now(UTC) < until:
            threading.Event().wait(0.001)
    over.set()
    for thread in threads:
        thread.join(10)
    assert [one for one in found if isinstance(one, BaseException)] == []
    assert shown(store, None) == [fingerprint(made[-1])]
    assert bench.warnings == []


def test_a_closed_store_does_not_look_any_more(bench: Bench) -> None:
    store = bench.store(bench.pair(bench.authority.make(["a.example"]), "one"))
    store.close()
    bench.pair(bench.authority.make(["a.example"]), "one")
    bench.later()
    assert not store.look()
    store.close()


# -- a client ---------------------------------------------------------------------------------------------------------


def handshake(contexts: Contexts, name: str | None, *, ciphers: str | None = None) -> str:
    """The fingerprint of what a client is shown. With *ciphers* it is one of TLS 1.2."""
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    if ciphers is not None:
        client.maximum_version = ssl.TLSVersion.TLSv1_2
        client.set_ciphers(ciphers)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    there = client.wrap_bio(incoming, outgoing, server_hostname=name)
    here = contexts.control("192.0.2.1", None)
    for _ in range(6):
        try:
            there.do_handshake()
        except ssl.SSLWantReadError:
            here.handshake(outgoing.read())
            incoming.write(here.outgoing.read())
        else:
            return fingerprint_of(there.getpeercert(binary_form=True) or b"")
    raise AssertionError("no handshake")


def test_the_client_of_these_tests_can_fail(bench: Bench) -> None:
    contexts = Contexts(bench.store(bench.pair(bench.authority.make(["a.example"]), "one")))
    with pytest.raises(HandshakeError, match="no shared cipher"):
        handshake(contexts, None, ciphers="ECDHE+aRSA")
