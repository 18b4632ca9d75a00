"""Way: the options for what is between clients and this server: a router that translates addresses, and proxies."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from .forms import Address, Duration, Networks
from .section import Section


class RouterOptions(Section):
    """The router between this server and the internet."""

    map: Literal["auto", "pcp", "nat-pmp", "upnp", "off"] = Field(
        default="off",
        description="Ask the router to forward the control port and the passive ports, by this protocol or "
        '("auto") by the first of them that works; with "off" it is asked nothing at all.',
    )
    lifetime: Duration = Field(
        default=7200.0,
        ge=120,
        description="For so long at a time; renewed when half of it is over, and given back at the end.",
    )
    gateway: Address | None = Field(
        default=None,
        description="The router's address; without it, the one that this machine sends everything through.",
        examples=["192.168.1.1"],
    )


class ProxyOptions(Section):
    """Proxies in front of the server that tell for whom they connect (PROXY protocol, versions 1 and 2)."""

    networks: Networks = Field(
        default=(),
        description="Where the proxies are; others cannot connect where a header is expected.",
        examples=[("192.0.2.0/28",)],
    )
    control: bool = Field(
        default=False, description="Whether control connections come from proxies, and begin with a header."
    )
    data: Literal["client", "proxy", "header"] = Field(
        default="client",
        description='From where passive data connections come: from the "client" itself, from the same "proxy" as the '
        'control connection, or from a proxy and with a "header" of their own.',
    )
    header: Duration = Field(default=5.0, ge=3, description="For a header to come.")
