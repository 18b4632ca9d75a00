"""AUTH PBSZ PROT CCC REIN on the control connection, and what is answered to mechanisms that are not TLS."""

from __future__ import annotations

import ssl
import subprocess
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.session.harness import Harness

from homeport.events.types import CloseReason, Event, HandshakeFailed, SessionClosed, SessionProtected
from homeport.net.tls import Chain, Contexts, FileCertificates
from homeport.testing.client import Client
from homeport.testing.plugin import FtpServer
from homeport.testing.protected import plain

from .conftest import PASSWORD, USER, Tls, protected, trusting

# -- AUTH ---------------------------------------------------------------------------------------------------------


@pytest.mark.standard("4217-4-PORT", "4217-4.2-NOT-334", "2228-3-AUTH-234", "4217-17-TLS", "4823-6.1-AUTH")
def test_tls_begins_behind_234(server: FtpServer) -> None:
    with server.client(login=False) as client:
        assert client.ask("AUTH TLS").code == 234
        client.begin_tls()
        client.ask("NOOP", 200)
        client.login(USER, PASSWORD)


@pytest.mark.standard("2228-3-AUTH-CASE", "4217-17-TLS", "4217-17-TLS-C", "D-13")
@pytest.mark.parametrize("mechanism", ["tls", "TLS-C", "tls-c", "SSL", "TLS "])
def test_names_of_tls(server: FtpServer, mechanism: str) -> None:
    with server.client(login=False) as client:
        client.ask(f"AUTH {mechanism}", 234)
        client.begin_tls()
        client.login(USER, PASSWORD)
        assert client.list_().complete  # in clear: data stay so until PROT P


def test_tls_p_protects_data_at_once(server: FtpServer) -> None:
    with server.client(login=False) as client:
        client.ask("AUTH TLS-P", 234)
        client.begin_tls()
        client.login(USER, PASSWORD)
        client.private = True
        assert client.list_().complete
        client.ask("PROT C", 200)
        client.private = False
        assert client.list_().complete


@pytest.mark.standard("2228-3-AUTH-504")
@pytest.mark.parametrize("mechanism", ["FOO", "GSSAPI", "KERBEROS_V4", "TLS1"])
def test_other_mechanisms(server: FtpServer, mechanism: str) -> None:
    with server.client() as client:
        client.ask(f"AUTH {mechanism}", 504)
        client.ask("PWD", 257)


def test_auth_needs_a_mechanism(server: FtpServer) -> None:
    with server.client() as client:
        client.ask("AUTH", 501)


@pytest.mark.standard("2228-3-AUTH-AGAIN", "2228-3-AUTH-534")
def test_a_second_auth_leaves_everything_as_it_is(client: Client) -> None:
    client.ask("AUTH TLS", 534)
    client.ask("PWD", 257)
    assert client.list_().complete


@pytest.mark.standard("2228-3-AUTH-431")
def test_a_certificate_that_cannot_be_read(tmp_path: Path) -> None:
    contexts = Contexts(FileCertificates((Chain(str(tmp_path / "missing.pem")),)))
    with Harness() as harness:
        harness.services = replace(harness.services, tls=contexts)
        client = harness.client()
        client.ask("AUTH TLS", 431)
        client.ask("PWD", 257)  # and nothing has changed


@pytest.mark.standard("2389-3.2-TRUTH")
def test_a_certificate_that_is_yet_to_come() -> None:
    with Harness() as harness:
        harness.services = replace(harness.services, tls=Contexts(FileCertificates(())))
        client = harness.client()
        client.ask("AUTH TLS", 431)
        assert not any(b"AUTH" in line for line in client.ask("FEAT", 211).lines)


@pytest.mark.standard("2228-3-AUTH-502", "2389-3.2-TRUTH", "2228-3-MIC-502")
@pytest.mark.parametrize(
    "command", ["AUTH TLS", "PBSZ 0", "PROT P", "CCC", "ADAT YQ==", "MIC YQ==", "CONF YQ==", "ENC YQ=="]
)
def test_without_a_certificate_there_is_no_tls(ftp_server: FtpServer, command: str) -> None:
    with ftp_server.client() as client:
        client.ask(command, 502)
        assert not {b" AUTH TLS", b" PBSZ", b" PROT", b" CCC"} & set(client.ask("FEAT", 211).lines)


@pytest.mark.standard("4217-6-FEAT")
def test_feat(server: FtpServer) -> None:
    with server.client() as client:
        lines = client.ask("FEAT", 211).lines
        assert {b" AUTH TLS", b" PBSZ", b" PROT"} <= set(lines)
        assert b" CCC" not in lines


# -- what AUTH does to a session ----------------------------------------------------------------------------------


@pytest.mark.standard("2228-3-AUTH-RESET", "4217-4.2-REAUTH", "4217-4.2-USER-NEEDED")
def test_a_login_in_clear_does_not_last(server: FtpServer) -> None:
    with server.client() as client:
        client.protect(private=False)
        client.ask("PWD", 530)
        client.ask(f"PASS {PASSWORD}", 503)
        client.login(USER, PASSWORD)


@pytest.mark.standard("4217-4.2-RESET")
def test_parameters_are_as_at_the_beginning(server: FtpServer) -> None:
    (server.root / "d").mkdir()
    (server.root / "f").write_bytes(b"0123")
    with server.client() as client:
        for command, code in (("TYPE I", 200), ("CWD d", 250), ("RNFR /f", 350), ("REST 2", 350), ("EPSV ALL", 200)):
            client.ask(command, code)
        client.protect(private=False)
        client.login(USER, PASSWORD)
        assert client.ask("PWD", 257).text.startswith('"/"')
        assert any(b"TYPE A N" in line for line in client.ask("STAT", 211).lines)
        client.ask("RNTO /g", 503)
        client.ask("PASV", 227)
        assert client.retr("/f").data == b"0123"


@pytest.mark.standard("7151-4-AUTH-KEEPS", "7151-4-PRECEDE")
def test_host_survives(server: FtpServer) -> None:
    """HOST, AUTH, USER is how RFC 7151 §4 draws it (X-18); REIN resets it."""
    with server.client(login=False) as client:
        client.ask("HOST ftp.test", 220)
        client.protect(private=False)
        client.login(USER, PASSWORD)
        (session,) = server.server._operation.sessions.all()  # type: ignore[union-attr]
        assert session.session.host == "ftp.test"


@pytest.mark.standard("4217-4.2-AUTH-ORDER")
@pytest.mark.parametrize("behind", [b"NOOP\r\n", b"USER test\r\nPASS secret\r\n", b"NOO"])
def test_what_is_sent_in_clear_behind_auth_is_dropped(server: FtpServer, behind: bytes) -> None:
    with server.client(login=False) as client:
        client.send(b"AUTH TLS\r\n" + behind, "AUTH")
        assert client.reply().code == 234
        client.begin_tls()
        client.ask("PWD", 530)  # the next reply is to this command, and nobody is logged in
        client.ask("NOOP", 200)


@pytest.mark.standard("4217-4.2-AUTH-ORDER")
def test_what_is_put_off_by_a_transfer_is_dropped_as_well(server: FtpServer) -> None:
    with server.client() as client:
        listener = client.active()
        client.command("LIST")
        client.reply()
        client.send(b"AUTH TLS\r\nUSER test\r\n", "AUTH")
        client.accept(listener).close()
        client.final()
        assert client.reply().code == 234
        client.begin_tls()
        client.ask("PASS secret", 503)


# -- handshakes that fail -----------------------------------------------------------------------------------------


@pytest.mark.standard("4217-10.1-FAIL-421")
def test_garbage_instead_of_tls(server: FtpServer, events: list[Event]) -> None:
    with server.client(login=False) as client:
        client.ask("AUTH TLS", 234)
        client.send(b"USER test\r\n", "USER")
        assert client.reply().code == 421
        client.end()
    assert _reason(events) is CloseReason.TLS_FAILED
    assert [event.reason for event in events if isinstance(event, HandshakeFailed)] == ["what came is not TLS"]


@pytest.mark.standard("4217-10.1-FAIL-DROP", "TLS-VERSIONS")
def test_versions_that_are_too_old(server: FtpServer, events: list[Event]) -> None:
    context = trusting(ssl.TLSVersion.TLSv1_2)
    with pytest.warns(DeprecationWarning, match="TLSv1 is deprecated"):
        context.minimum_version = ssl.TLSVersion.TLSv1
    with pytest.warns(DeprecationWarning, match="TLSv1_1 is deprecated"):
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    client = server.client(login=False)
    client.ask("AUTH TLS", 234)
    with pytest.raises(ssl.SSLError, match=r"ALERT|alert"):
        client.begin_tls(context)
    assert _reason(events) is CloseReason.TLS_FAILED


@pytest.mark.standard("4217-10.1-FAIL-DROP")
def test_a_handshake_that_breaks_off_in_the_middle(server: FtpServer, events: list[Event]) -> None:
    client = server.client(login=False)
    client.ask("AUTH TLS", 234)
    client.send(b"\x16\x03\x01\x02\x00\x01\x00" + b"x" * 600)
    octets = client.control.recv(4096)
    assert octets[:1] == b"\x15"  # an alert, and no reply in clear
    assert client.control.recv(4096) == b""
    assert _reason(events) is CloseReason.TLS_FAILED


def test_a_client_that_leaves_in_the_handshake(server: FtpServer, events: list[Event]) -> None:
    client = server.client(login=False)
    client.ask("AUTH TLS", 234)
    client.send(b"\x16\x03\x01")
    client.close()
    assert _reason(events) is CloseReason.CLIENT


def test_a_handshake_has_a_deadline(tls: Tls) -> None:
    server = tls({"limits": {"handshake": 0.2}})
    client = server.client(login=False)
    client.ask("AUTH TLS", 234)
    client.control.settimeout(10)
    assert client.control.recv(100) == b""


def test_a_handshake_octet_by_octet_has_no_longer_one(tls: Tls) -> None:
    server = tls({"limits": {"handshake": 0.3}})
    client = server.client(login=False)
    client.ask("AUTH TLS", 234)
    over = threading.Event()

    def drip() -> None:
        try:
            client.control.sendall(b"\x16\x03\x01\x10\x00")
            while not over.wait(0.05):
                client.control.send(b"x")
        except OSError:
            pass  # closed, as it should be

    thread = threading.Thread(target=drip)
    thread.start()
    client.control.settimeout(10)
    try:
        assert client.control.recv(100) == b""
    except ConnectionResetError:
        pass  # closed while an octet was on its way
    finally:
        over.set()
        thread.join()


def test_the_first_command_may_come_with_the_end_of_the_handshake(server: FtpServer) -> None:
    """In one segment: the handshake's end and a command, as a client without pauses sends them."""
    client = server.client(login=False)
    client.ask("AUTH TLS", 234)
    context = trusting()
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing)
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    client.control.sendall(outgoing.read())
    while True:
        incoming.write(client.control.recv(65536))
        try:
            tls.do_handshake()
            break
        except ssl.SSLWantReadError:
            pass
    tls.write(b"NOOP\r\nPWD\r\n")
    client.control.sendall(outgoing.read())
    said = b""
    while said.count(b"\n") < 2:
        try:
            said += tls.read(4096)
        except ssl.SSLWantReadError:
            incoming.write(client.control.recv(65536))
    assert [line[:3] for line in said.splitlines()] == [b"200", b"530"]


def _reason(events: list[Event]) -> CloseReason:
    """Why the only session ended; waits until it has."""
    pause = threading.Event()
    for _ in range(500):
        for event in events:
            if isinstance(event, SessionClosed):
                return event.reason
        pause.wait(0.01)
    raise AssertionError("the session did not end")


# -- PBSZ and PROT ------------------------------------------------------------------------------------------------


@pytest.mark.standard("2228-3-PBSZ-200", "4217-9-PBSZ0", "X-28")
@pytest.mark.parametrize("size", ["0", "1", "16384", "4294967295"])
def test_pbsz(client: Client, size: str) -> None:
    assert "PBSZ=0" in client.ask(f"PBSZ {size}", 200).text


@pytest.mark.standard("2228-3-PBSZ-ARG")
@pytest.mark.parametrize("size", ["x", "-1", "4294967296", "0x10", "1.5", "", "9" * 400])
def test_sizes_that_are_none(client: Client, size: str) -> None:
    client.ask(f"PBSZ {size}".strip(), 501)


@pytest.mark.standard("2228-3-PBSZ-503", "4217-9-INSECURE-CTRL")
@pytest.mark.parametrize("command", ["PBSZ 0", "PROT P", "PROT C"])
def test_levels_need_the_handshake(server: FtpServer, command: str) -> None:
    with server.client() as client:
        client.ask(command, 503)


@pytest.mark.standard("2228-3-PROT-503", "4217-8-PBSZ-PROT", "4217-9-INSECURE-CTRL")
def test_prot_needs_pbsz(server: FtpServer) -> None:
    with server.client(login=False) as client:
        client.protect(private=False)
        client.ask("PROT P", 503)
        client.ask("PBSZ 0", 200)
        client.ask("PROT P", 200)


@pytest.mark.standard("2228-3-PROT-536", "4217-9-ONLY-CP")
@pytest.mark.parametrize("level", ["S", "E", "e"])
def test_levels_that_tls_has_not(client: Client, level: str) -> None:
    client.ask(f"PROT {level}", 536)


@pytest.mark.standard("2228-3-PROT-ARG", "2228-3-PROT-200")
def test_other_levels(client: Client) -> None:
    client.ask("PROT X", 504)
    client.ask("PROT PP", 504)
    client.ask("PROT", 501)
    client.ask("PROT p", 200)


@pytest.mark.standard("4217-12-USERPASS")
def test_levels_before_and_after_the_login(server: FtpServer) -> None:
    with server.client(login=False) as client:
        client.protect()
        client.login(USER, PASSWORD)
        assert client.list_().complete
    with server.client(login=False) as client:
        client.protect(private=False)
        client.login(USER, PASSWORD)
        client.ask("PBSZ 0", 200)
        client.ask("PROT P", 200)
        client.private = True
        assert client.list_().complete


# -- CCC ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def clearing(tls: Tls) -> FtpServer:
    """A server that allows CCC."""
    return tls({"tls": {"clear_control": True}})


@pytest.mark.standard("2228-3-CCC-533", "4217-5-CCC-533")
def test_ccc_in_clear(clearing: FtpServer) -> None:
    with clearing.client() as client:
        client.ask("CCC", 533)


@pytest.mark.standard("4217-5-CCC-500")
def test_ccc_is_not_accepted_by_default(server: FtpServer, client: Client) -> None:
    client.ask("CCC", 500)
    client.ask("NOOP", 200)
    with server.client() as plain_client:
        plain_client.ask("CCC", 500)


@pytest.mark.standard("2228-3-CCC-534", "4217-5-CCC-534", "4217-15.3-CCC-AUTHED")
def test_ccc_before_the_login(clearing: FtpServer) -> None:
    with protected(clearing, login=False) as client:
        client.ask("CCC", 534)
        client.ask("NOOP", 200)


@pytest.mark.standard("2228-3-CCC-NOARG", "X-16")
def test_ccc_takes_no_argument_and_is_in_feat(clearing: FtpServer) -> None:
    with protected(clearing) as client:
        client.ask("CCC x", 501)
        assert b" CCC" in client.ask("FEAT", 211).lines


@pytest.mark.standard("2228-3-CCC-200", "2228-3-CCC-UNPROT", "4217-5-CCC-200", "TLS-CLOSE-REPLY")
def test_after_ccc_commands_are_in_clear(clearing: FtpServer) -> None:
    with protected(clearing) as client:
        client.ask("CCC", 200)
        client.end_tls()
        assert not isinstance(client.control, ssl.SSLSocket)
        client.ask("NOOP", 200)
        client.ask("PWD", 257)


@pytest.mark.standard("4217-5-CCC-200")
def test_a_client_that_goes_on_in_clear_without_a_close_notify(clearing: FtpServer) -> None:
    with protected(clearing) as client:
        client.ask("CCC", 200)
        _drop_tls(client)
        client.ask("NOOP", 200)


def test_commands_that_were_under_way_in_tls_are_answered(clearing: FtpServer) -> None:
    with protected(clearing) as client:
        client.send(b"CCC\r\nNOOP\r\n", "CCC", "NOOP")
        assert client.reply().code == 200
        client.end_tls()
        assert client.reply().code == 200
        client.ask("PWD", 257)


@pytest.mark.standard("4217-5-CCC-FROZEN")
def test_after_ccc_data_stay_protected(clearing: FtpServer) -> None:
    (clearing.root / "f").write_bytes(b"0123")
    with protected(clearing) as client:
        session = client.control
        client.ask("CCC", 200)
        client.end_tls()
        client.ask("PROT C", 503)
        client.ask("PBSZ 0", 503)
        client.resumes = False
        assert client.retr("f").data == b"0123"
        assert client.list_().complete
        assert session.fileno() < 0


def test_after_ccc_another_auth_begins_anew(clearing: FtpServer) -> None:
    with protected(clearing) as client:
        client.ask("CCC", 200)
        client.end_tls()
        client.private = False
        client.protect()
        client.ask("PWD", 530)
        client.login(USER, PASSWORD)
        assert client.list_().complete


# -- REIN ---------------------------------------------------------------------------------------------------------


@pytest.mark.standard(
    "4217-13-REIN", "4217-13-REIN-REPLY", "2228-A1-RESET", "959-4.1.1-REIN", "7151-3.2.1-REIN", "TLS-CLOSE-REPLY"
)
def test_rein_ends_tls_behind_its_reply(server: FtpServer) -> None:
    with protected(server) as client:
        client.ask("REIN", 220)  # still within TLS
        client.end_tls()
        client.private = False
        client.ask("PROT P", 503)
        client.login(USER, PASSWORD)
        assert client.list_().complete


@pytest.mark.standard("4217-13-REIN-CACHE")
def test_after_rein_nobody_asks_for_the_old_sessions(tls: Tls) -> None:
    server = tls({"tls": {"session_reuse": "require"}})
    with protected(server) as client:
        client.ask("REIN", 220)
        client.end_tls()
        client.private = False
        client.protect()
        client.login(USER, PASSWORD)
        assert client.list_().complete


def test_rein_of_a_client_without_a_close_notify(server: FtpServer) -> None:
    with protected(server) as client:
        client.ask("REIN", 220)
        _drop_tls(client)
        client.private = False
        client.protect()
        client.login(USER, PASSWORD)


def _drop_tls(client: Client) -> None:
    """Read the server's close_notify, and say nothing of our own."""
    control = client.control
    assert isinstance(control, ssl.SSLSocket)
    assert control.recv(100) == b""
    client._control = plain(control)


# -- mechanisms that are not TLS ----------------------------------------------------------------------------------


@pytest.mark.standard("2228-3-ADAT-503", "4217-4.2-NO-ADAT")
def test_adat(server: FtpServer) -> None:
    with server.client() as client:
        client.ask("ADAT YQ==", 503)
    with protected(server) as client:
        client.ask("ADAT YQ==", 503)
        client.ask("PWD", 257)


@pytest.mark.standard("2228-3-MIC", "2228-3-MIC-537")
@pytest.mark.parametrize("verb", ["MIC", "CONF", "ENC"])
def test_enclosed_commands(server: FtpServer, verb: str) -> None:
    with server.client() as client:
        client.ask(f"{verb} UFdEDQo=", 503)
    with protected(server) as client:
        client.ask(f"{verb} UFdEDQo=", 537)  # PWD, which is not carried out


@pytest.mark.standard("2228-5.2-63Z", "2228-3-OPTIONAL", "2228-8.2-EXTRA")
def test_replies_stay_replies(client: Client) -> None:
    """The strict client refuses every code that its grammar does not allow, 63z among them."""
    for command in ("NOOP", "PWD", "MIC YQ==", "PROT E", "CCC", "AUTH X", "ADAT x"):
        assert client.ask(command).code // 10 != 63


# -- the connection inside ----------------------------------------------------------------------------------------


@pytest.mark.standard("4217-14-NOURG", "TEL-4217-14-URG", "X-34", "TEL-854-DM-PLAIN")
def test_telnet_is_inside_of_tls(server: FtpServer) -> None:
    with protected(server) as client:
        client.send(b"\xff\xf4\xff\xf2NO\xff\xf1OP\r\n", "NOOP")
        assert client.reply().code == 200
        client.send(b"\xff\xfb\x01")
        assert client.refusals(1) == (b"\xff\xfe\x01",)


def test_many_commands_in_one_record(server: FtpServer) -> None:
    """More than one read of the server takes: none is left in the layer when it waits."""
    with protected(server) as client:
        client.send(b"NOOP\r\n" * 2500, *["NOOP"] * 2500)
        for _ in range(2500):
            assert client.reply().code == 200


def test_a_long_reply_and_a_parked_session(tls: Tls) -> None:
    server = tls()
    for number in range(400):
        (server.root / f"{number:040}").touch()
    with protected(server) as client:
        assert len(client.ask("STAT /", 212).lines) > 400
        client.control.settimeout(10)
        _until_parked(server)
        client.ask("NOOP", 200)


def _until_parked(server: FtpServer) -> None:
    operation = server.server._operation
    assert operation is not None
    over = threading.Event()
    while not len(operation.sessions.lobby):
        assert not over.wait(0.01)


def test_the_end_of_a_client_is_noticed(server: FtpServer, events: list[Event]) -> None:
    client = protected(server)
    client.end_tls()  # its close_notify is the end, though the connection is still there
    assert client.control.recv(100) == b""
    assert _reason(events) is CloseReason.CLIENT


def test_quit(server: FtpServer) -> None:
    client = protected(server)
    client.quit()


def test_a_stop_says_421_within_tls(server: FtpServer) -> None:
    client = protected(server)
    client.command("NOOP")
    client.reply()
    assert server.server.stop(5)
    assert client.control.recv(100).startswith(b"421 ")
    assert client.control.recv(100) == b""  # and close_notify, or this would raise


@pytest.mark.standard("TLS-RENEG")
def test_renegotiation_is_refused(tls: Tls, program: Callable[[str], str]) -> None:
    """Protection is changed by AUTH, never by renegotiation (RFC 9325 §3.5). `R` lets this client ask for it."""
    server = tls()
    with subprocess.Popen(
        [program("openssl"), "s_client", "-connect", f"127.0.0.1:{server.port}", "-starttls", "ftp", "-tls1_2"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as client:
        assert client.stdin is not None
        assert client.stdout is not None
        said = b""
        while b"220 " not in said:
            said += client.stdout.readline()
        client.stdin.write(b"R\n")
        client.stdin.flush()
        rest, _ = client.communicate(timeout=20)
        said += rest
    assert b"Secure Renegotiation IS supported" in said  # the extension that makes it safe is there (RFC 5746)
    assert b"RENEGOTIATING" in said
    assert b"no renegotiation" in said
    with protected(server) as other:
        other.ask("NOOP", 200)


def test_what_is_told_of_the_handshake(server: FtpServer, events: list[Event]) -> None:
    with protected(server, name="ftp.test"):
        pass
    (told,) = (event for event in events if isinstance(event, SessionProtected))
    assert told.description.startswith("TLSv1.3, ")
    assert told.server_name == "ftp.test"
    assert not told.resumed
