"""Which certificate a client is shown, and what its own is good for."""

from __future__ import annotations

import ssl
from dataclasses import replace
from typing import Any

import pytest
from tests.session.harness import PASSWORD as HARNESS_PASSWORD
from tests.session.harness import USER as HARNESS_USER
from tests.session.harness import Harness

from homeport.net.tls import Chain, Contexts, FileCertificates
from homeport.testing.client import Client
from homeport.testing.plugin import FtpServer

from .authority import Authority
from .conftest import PASSWORD, USER, Tls, protected, trusting

VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


def checking(authority: Authority, version: ssl.TLSVersion | None = None) -> ssl.SSLContext:
    """A context that takes certificates of *authority* only, and looks at the name."""
    context = ssl.create_default_context(cafile=authority.file)
    if version is not None:
        context.maximum_version = version
    return context


def showing(authority: Authority, certificate: str | None, version: ssl.TLSVersion | None = None) -> ssl.SSLContext:
    """A context with a certificate of the client's own."""
    context = trusting(version)
    if certificate is not None:
        context.load_cert_chain(certificate)
    return context


def der_of(connection: object) -> bytes | None:
    assert isinstance(connection, ssl.SSLSocket)
    return connection.getpeercert(binary_form=True)


# -- the server's ------------------------------------------------------------------------------------------------


@pytest.mark.standard("4217-15.1.1-CERT", "4217-15.1.1-SAME")
@pytest.mark.parametrize("version", VERSIONS)
def test_a_client_that_checks(server: FtpServer, authority: Authority, version: ssl.TLSVersion) -> None:
    with protected(server, checking(authority, version), name="ftp.test") as client:
        data = client.connect(client.passive())
        client.ask("MLSD", 150)
        assert der_of(client.secure(data)) == der_of(client.control)
        assert client.reply().code == 226


@pytest.fixture(scope="module")
def chains(authority: Authority) -> tuple[Chain, ...]:
    """a.test with two kinds of key, and another host."""
    a, b = ("a.test",), ("b.test", "*.wild.test")
    return (
        Chain(authority.issue("a.test", *a), None, a),
        Chain(authority.issue("a.test", *a, use_rsa=True), None, a),
        Chain(authority.issue("b.test", *b), None, b),
    )


@pytest.fixture
def hosts(chains: tuple[Chain, ...]) -> Any:
    """A server with several certificates."""
    with Harness() as harness:
        harness.services = replace(harness.services, tls=Contexts(FileCertificates(chains)))
        yield harness


@pytest.mark.standard("4217-15.1.1-CERT")
@pytest.mark.parametrize("name", ["a.test", "b.test", "x.wild.test", "B.TEST"])
def test_sni_chooses(hosts: Harness, authority: Authority, name: str) -> None:
    client = hosts.client(login=False)
    client.protect(checking(authority), name=name)


@pytest.mark.parametrize("name", ["c.test", "x.y.wild.test", "wild.test"])
def test_other_names_get_the_first(hosts: Harness, authority: Authority, name: str) -> None:
    client = hosts.client(login=False)
    with pytest.raises(ssl.SSLCertVerificationError):
        client.protect(checking(authority), name=name)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("kind", ["ECDSA", "RSA"])
def test_both_kinds_of_keys(hosts: Harness, authority: Authority, version: ssl.TLSVersion, kind: str) -> None:
    context = checking(authority, version)
    if kind == "RSA" and version is ssl.TLSVersion.TLSv1_2:
        context.set_ciphers("ECDHE+aRSA")
    client = hosts.client(login=False)
    client.protect(context, name="a.test")
    cipher = client.control.cipher()  # type: ignore[attr-defined]  # it is an SSLSocket now
    if version is ssl.TLSVersion.TLSv1_2:
        assert kind in cipher[0]


@pytest.mark.standard("7151-4-PRECEDE", "7151-4-AUTH-KEEPS", "X-18")
def test_host_chooses_where_there_is_no_sni(hosts: Harness, authority: Authority, chains: tuple[Chain, ...]) -> None:
    context = checking(authority)
    context.check_hostname = False
    client = hosts.client(login=False)
    client.ask("HOST b.test", 220)
    client.protect(context)
    shown = client.control.getpeercert()  # type: ignore[attr-defined]
    assert ("DNS", "b.test") in shown["subjectAltName"]
    client.login(HARNESS_USER, HARNESS_PASSWORD)
    data = client.connect(client.passive())
    client.ask("MLSD", 150)
    client.resumes = False
    assert der_of(client.secure(data)) == der_of(client.control)
    assert client.reply().code == 226


@pytest.mark.standard("4217-15.1.1-SAME")
def test_data_connections_show_the_same_one_without_sni(hosts: Harness, authority: Authority) -> None:
    context = checking(authority)
    client = hosts.client(login=False)
    client.protect(context, name="b.test")
    client.login(HARNESS_USER, HARNESS_PASSWORD)
    data = client.connect(client.passive())
    client.ask("MLSD", 150)
    other = trusting()
    with other.wrap_socket(data) as tls:
        assert der_of(tls) == der_of(client.control)
        assert client.reply().code == 226


@pytest.mark.standard("7151-3.2.2-SNI", "7151-3.3-IGNORE")
def test_host_must_not_differ_from_sni(hosts: Harness) -> None:
    client = hosts.client(login=False)
    client.protect(name="b.test")
    client.ask("HOST a.test", 504)
    client.ask("HOST b.test", 220)
    client.ask("HOST B.Test", 220)
    client.login(HARNESS_USER, HARNESS_PASSWORD)


@pytest.mark.parametrize(
    ("offered", "control", "data"),
    [
        (["ftp"], "ftp", None),
        (["ftp-data", "ftp"], "ftp", "ftp-data"),
        (["ftp", "ftp-data"], "ftp", "ftp-data"),
        (["x-filezilla-ftp", "ftp"], "ftp", None),
        (["h2"], None, None),
    ],
)
def test_alpn(server: FtpServer, offered: list[str], control: str | None, data: str | None) -> None:
    context = trusting()
    context.set_alpn_protocols(offered)
    with protected(server, context) as client:
        connection = client.connect(client.passive())
        client.ask("MLSD", 150)
        tls = client.secure(connection)
        assert client.reply().code == 226
        assert tls.selected_alpn_protocol() == data
        main = client.control
        assert isinstance(main, ssl.SSLSocket)
        assert main.selected_alpn_protocol() == control


def test_a_session_keeps_the_certificate_that_it_began_with(authority: Authority) -> None:
    class Changing:
        generation = 0
        file = authority.issue("first.test")

        def chains(self, name: str | None) -> tuple[Chain, ...]:
            return (Chain(self.file),)

    certificates = Changing()
    with Harness() as harness:
        harness.services = replace(harness.services, tls=Contexts(certificates))
        old = harness.client(login=False)
        old.protect()
        old.login(HARNESS_USER, HARNESS_PASSWORD)
        certificates.generation, certificates.file = 1, authority.issue("second.test")
        new = harness.client(login=False)
        new.protect()
        assert der_of(new.control) != der_of(old.control)
        old.resumes = False
        data = old.connect(old.passive())
        old.ask("MLSD", 150)
        assert der_of(old.secure(data)) == der_of(old.control)
        assert old.reply().code == 226
        old.resumes = True
        assert old.mlsd().complete
        assert old.resumed


# -- the client's -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def bob(authority: Authority) -> str:
    return authority.issue("Bob", "bob@example.net")


@pytest.fixture(scope="module")
def eve(authority: Authority) -> str:
    return authority.issue("Eve", "eve@example.net")


def asking(authority: Authority, how: str = "allow") -> dict[str, Any]:
    return {"tls": {"client_ca": authority.file, "client_certificates": how}}


def try_to_log_in(client: Client, password: str = PASSWORD) -> int:
    reply = client.ask(f"USER {USER}")
    return client.ask(f"PASS {password}").code if reply.code == 331 else reply.code


@pytest.mark.standard("2228-4-232", "4217-12-232", "4217-10.1-POLICY")
@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", ["bob@example.net", "Bob", "BOB@example.net"])
def test_a_certificate_as_the_whole_login(
    tls: Tls, authority: Authority, bob: str, version: ssl.TLSVersion, name: str
) -> None:
    server = tls(asking(authority), password=None, certificate=name)
    with server.client(login=False) as client:
        client.protect(showing(authority, bob, version))
        client.ask(f"USER {USER}", 232)
        client.ask("PWD", 257)
        assert client.list_().complete


def test_who_has_it_not_gets_in_by_no_password(tls: Tls, authority: Authority, eve: str) -> None:
    server = tls(asking(authority), password=None, certificate="bob@example.net")
    for certificate in (None, eve):
        with server.client(login=False) as client:
            client.protect(showing(authority, certificate))
            assert try_to_log_in(client, "") == 530
            assert try_to_log_in(client, "None") == 530
    with server.client(login=False) as client:
        assert try_to_log_in(client) == 530


@pytest.mark.standard("4217-10.1-CERT-NO")
def test_a_certificate_as_the_second_factor(tls: Tls, authority: Authority, bob: str, eve: str) -> None:
    server = tls(asking(authority), certificate="bob@example.net")
    for certificate, password, code in (
        (bob, PASSWORD, 230), (bob, "wrong", 530), (eve, PASSWORD, 530), (None, PASSWORD, 530),
    ):  # fmt: skip
        with server.client(login=False) as client:
            client.protect(showing(authority, certificate))
            client.ask(f"USER {USER}", 331)
            client.ask(f"PASS {password}", code)
    with server.client(login=False) as client:
        assert try_to_log_in(client) == 530


def test_after_rein_and_ccc_the_certificate_is_nobodys(tls: Tls, authority: Authority, bob: str) -> None:
    sections = asking(authority)
    sections["tls"]["clear_control"] = True
    server = tls(sections, password=None, certificate="bob@example.net")
    for command in ("CCC", "REIN"):
        with server.client(login=False) as client:
            client.protect(showing(authority, bob))
            client.ask(f"USER {USER}", 232)
            client.command(command)
            client.reply()
            client.end_tls()
            assert try_to_log_in(client) == 530


@pytest.mark.parametrize("version", VERSIONS)
def test_certificates_that_are_required(tls: Tls, authority: Authority, bob: str, version: ssl.TLSVersion) -> None:
    server = tls(asking(authority, "require"))
    with protected(server, showing(authority, bob, version)) as client:
        assert client.list_().complete
    client = server.client(login=False)
    client.ask("AUTH TLS", 234)
    with pytest.raises(OSError, match=r"ALERT|alert|reset|EOF"):
        _handshake_and_read(client, showing(authority, None, version))


def _handshake_and_read(client: Client, context: ssl.SSLContext) -> None:
    """In TLS 1.3 the client is done before the server looks at its certificate."""
    client.begin_tls(context)
    if client.control.recv(1) == b"":
        raise OSError("EOF")


def test_a_certificate_of_another_authority(
    tls: Tls, authority: Authority, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = Authority(tmp_path_factory.mktemp("other"))
    server = tls(asking(authority))
    client = server.client(login=False)
    client.ask("AUTH TLS", 234)
    with pytest.raises(OSError, match=r"ALERT|alert|reset|EOF"):
        _handshake_and_read(client, showing(authority, other.issue("Bob", "bob@example.net")))


@pytest.mark.standard("4217-15.1.2-CLIENT", "4217-10.2-522")
@pytest.mark.parametrize("resumes", [True, False])
def test_both_connections_show_the_same_one(tls: Tls, authority: Authority, bob: str, eve: str, resumes: bool) -> None:
    server = tls(asking(authority), certificate="bob@example.net")
    with protected(server, showing(authority, bob)) as client:
        client.resumes = resumes
        assert client.list_().complete
        assert client.resumed is resumes
        for certificate in (eve, None):
            data = client.connect(client.passive())
            client.ask("STOR file", 150)
            with showing(authority, certificate).wrap_socket(data):
                reply = client.reply()
            assert reply.code == 522
            assert "certificate" in reply.text
        assert list(server.root.iterdir()) == []
