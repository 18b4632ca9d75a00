"""Containers: the ports to publish with Docker, Compose and Kubernetes, and what goes wrong there."""

from __future__ import annotations

from .openings import Needs, Opening, comments, listed, text

_SAME = "Passive ports must have the same numbers outside and inside: clients are told them."
_ADDRESS = (
    "A container knows only its own address on the bridge: set data.external_address to the address that clients "
    "connect to, or PASV names one that nobody can reach."
)
_MANY = "Keep the range small: one port serves any number of clients at once, and each published port costs something."
_HIDDEN = (
    "Where clients' addresses are hidden (Docker Desktop, rootless, the userland proxy), all clients look like one: "
    "they share limits.sessions_per_address, and a data connection can no longer be told from another client's. "
)
_PAST = "Docker publishes ports past ufw and firewalld: what is to be kept out belongs in the chain DOCKER-USER."
_OUT = "Active mode works only if the host's translation leaves the container's port alone; it often changes port 20."
_LOCAL = (
    "externalTrafficPolicy Local keeps the clients' addresses; without it each connection may seem to come from "
    "another node, and data connections are refused as strangers'."
)
_ONE = "One pod only, or sessionAffinity as below: a data connection must reach the pod of its control connection."
_NODE_PORTS = "With type NodePort instead, passive ports must be node ports (30000-32767), and equal to their nodePort."
_ROWS = "A Service has no ranges, and every port is a row: a few passive ports are enough."
_POD_OUT = (
    "Active mode leaves the pod through the node's translation, which changes address and port: let clients use "
    "passive mode."
)


def docker(needs: Needs) -> str:
    notes = [
        _SAME,
        *_address(needs),
        _MANY,
        f"{_HIDDEN}On Linux, --network host for --publish avoids that.",
    ]
    published = [f"    --publish {_both(one)} \\" for one in needs.incoming]
    reasons = listed(needs.incoming, lambda _: "")
    return text([
        *comments([*notes, _PAST, _OUT, *needs.notes]),
        *(line for line in reasons if line),
        "docker run \\",
        *published,
        "    IMAGE",
    ])  # fmt: skip


def compose(needs: Needs) -> str:
    notes = [_SAME, *_address(needs), _MANY, f"{_HIDDEN}On Linux, `network_mode: host` for `ports` avoids that."]
    rows = listed(needs.incoming, lambda one: f'- "{_both(one)}"')
    return text([
        *comments([*notes, _PAST, _OUT, *needs.notes]),
        "services:",
        "  homeport:",
        "    image: IMAGE",
        "    ports:" if rows else "    ports: []",
        *(f"      {row}" for row in rows),
    ])  # fmt: skip


def kubernetes(needs: Needs) -> str:
    """A Service. It has no ranges: every port is a row."""

    def rows(one: Opening) -> str:
        kind = "passive" if one.ports.low in needs.passive else "control"
        ports = range(one.ports.low, one.ports.high + 1)
        return "\n".join(
            f"- {{name: {kind}-{port}, protocol: TCP, port: {port}, targetPort: {port}}}" for port in ports
        )

    found = text(listed(needs.incoming, rows)).splitlines()
    return text([
        *comments([_SAME, *_address(needs), _LOCAL, _ONE, _NODE_PORTS, _ROWS, _POD_OUT, *needs.notes]),
        "apiVersion: v1",
        "kind: Service",
        "metadata:",
        "  name: homeport",
        "spec:",
        "  type: LoadBalancer",
        "  externalTrafficPolicy: Local",
        "  sessionAffinity: ClientIP",
        "  selector:",
        "    app: homeport",
        "  ports:" if found else "  ports: []",
        *(f"    {row}" for row in found),
    ])  # fmt: skip


def _both(one: Opening) -> str:
    return f"{one.ports.text()}:{one.ports.text()}"


def _address(needs: Needs) -> list[str]:
    return [] if needs.external else [_ADDRESS]
