"""A UPnP Internet Gateway Device in a thread: description, SOAP, and whatever a test wants it to answer."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SERVICE = "urn:schemas-upnp-org:service:WANIPConnection:1"
_DESCRIPTION = f"""<?xml version="1.0"?>
<root xmlns="urn:schemas-upnp-org:device-1-0"><specVersion><major>1</major><minor>0</minor></specVersion>
<device><deviceType>urn:schemas-upnp-org:device:InternetGatewayDevice:1</deviceType><deviceList>
<device><deviceType>urn:schemas-upnp-org:device:WANDevice:1</deviceType>
<serviceList><service><serviceType>urn:schemas-upnp-org:service:WANCommonInterfaceConfig:1</serviceType>
<controlURL>/common</controlURL><eventSubURL>/e</eventSubURL><SCPDURL>/c.xml</SCPDURL></service></serviceList><deviceList>
<device><deviceType>urn:schemas-upnp-org:device:WANConnectionDevice:1</deviceType><serviceList>
<service><serviceType>{SERVICE}</serviceType><controlURL>/control</controlURL><eventSubURL>/e</eventSubURL>
<SCPDURL>/s.xml</SCPDURL></service></serviceList></device></deviceList></device></deviceList></device></root>"""
_FAULT = """<?xml version="1.0"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><s:Fault>
<faultcode>s:Client</faultcode><faultstring>UPnPError</faultstring><detail>
<UPnPError xmlns="urn:schemas-upnp-org:control-1-0"><errorCode>{}</errorCode><errorDescription>x</errorDescription>
</UPnPError></detail></s:Fault></s:Body></s:Envelope>"""
_ANSWER = """<?xml version="1.0"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>
<u:{0}Response xmlns:u="{1}">{2}</u:{0}Response></s:Body></s:Envelope>"""

Entry = tuple[str, int, str, int]
"""Client, its port, description, seconds."""


def _faultless(_: dict[str, str]) -> int | None:
    return None


class Fault(Exception):
    """Answered as a SOAP fault with this UPnP error code."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


@dataclass
class Igd:
    """What it knows and does; tests change it."""

    url: str
    entries: dict[int, Entry] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    """Each action and its arguments in the order in which they came."""
    address: str = "11.0.50.20"
    longest: int = 604800
    faults: dict[str, Callable[[dict[str, str]], int | None]] = field(default_factory=dict)
    """By action: the error code to answer with, if any."""

    def names(self) -> list[str]:
        return [name for name, _ in self.asked]

    def added(self) -> list[dict[str, str]]:
        return [arguments for name, arguments in self.asked if name == "AddPortMapping"]

    def act(self, name: str, arguments: dict[str, str]) -> dict[str, object]:
        self.asked.append((name, arguments))
        code = self.faults.get(name, _faultless)(arguments)
        if code is not None:
            raise Fault(code)
        match name:
            case "GetStatusInfo":
                return {"NewConnectionStatus": "Connected", "NewLastConnectionError": "ERROR_NONE", "NewUptime": 1}
            case "GetExternalIPAddress":
                return {"NewExternalIPAddress": self.address}
        port = int(arguments["NewExternalPort"])
        match name:
            case "AddPortMapping":
                client = arguments["NewInternalClient"]
                if port in self.entries and self.entries[port][0] != client:
                    raise Fault(718)
                seconds = min(int(arguments["NewLeaseDuration"]), self.longest)
                inner = int(arguments["NewInternalPort"])
                self.entries[port] = (client, inner, arguments["NewPortMappingDescription"], seconds)
                return {}
            case "DeletePortMapping":
                if self.entries.pop(port, None) is None:
                    raise Fault(714)
                return {}
            case "GetSpecificPortMappingEntry":
                if port not in self.entries:
                    raise Fault(714)
                client, inner, text, seconds = self.entries[port]
                return {
                    "NewInternalPort": inner, "NewInternalClient": client, "NewEnabled": 1,
                    "NewPortMappingDescription": text, "NewLeaseDuration": seconds,
                }  # fmt: skip
        raise Fault(401)


@contextmanager
def fake_igd() -> Iterator[Igd]:
    """It listens on loopback."""

    class Answering(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._say(200, _DESCRIPTION)

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            name = self.headers["SOAPAction"].strip('"').partition("#")[2]
            found = re.findall(r"<(New\w+)>([^<]*)</\1>|<(New\w+)\s*/>", body)
            try:
                values = igd.act(name, {one or empty: value for one, value, empty in found})
            except Fault as fault:
                self._say(500, _FAULT.format(fault.code))
            else:
                self._say(200, _ANSWER.format(name, SERVICE, "".join(f"<{k}>{v}</{k}>" for k, v in values.items())))

        def _say(self, status: int, text: str) -> None:
            octets = text.encode()
            self.send_response(status)
            self.send_header("Content-Type", 'text/xml; charset="utf-8"')
            self.send_header("Content-Length", str(len(octets)))
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(octets)

        def log_message(self, form: str, *values: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    server.daemon_threads = False  # so that closing the server waits for those that still answer
    igd = Igd(f"http://127.0.0.1:{server.server_port}/root.xml")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield igd
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
