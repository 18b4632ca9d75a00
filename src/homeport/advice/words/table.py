"""The table from a Cause to its words. `diagnosis.py` chooses the cause, nothing is concluded here.

`sentence` goes to a client whom nobody may trust: it names no address but one that the client itself has sent. The rest
is for the administrator and names them all. Cures stand in the order in which they should be tried.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..causes import Cause
from . import active, either, established, passive
from .facts import Words

WORDING: Mapping[Cause, Words] = {
    Cause.NOTHING_ARRIVED: passive.nothing_arrived,
    Cause.STRANGER: passive.stranger,
    Cause.PRIVATE_ANNOUNCED: passive.private_announced,
    Cause.BRIDGE_ANNOUNCED: passive.bridge_announced,
    Cause.WRONG_ANNOUNCED: passive.wrong_announced,
    Cause.CARRIER_NAT: passive.carrier_nat,
    Cause.HAIRPIN: passive.hairpin,
    Cause.REWRITTEN: passive.rewritten,
    Cause.PASV_IPV6: passive.pasv_ipv6,
    Cause.RANGE_TOO_SMALL: passive.range_too_small,
    Cause.PRIVATE_REQUESTED: active.private_requested,
    Cause.FOREIGN_REQUESTED: active.foreign_requested,
    Cause.LOW_PORT_REQUESTED: active.low_port_requested,
    Cause.SOURCE_PORT: active.source_port,
    Cause.NO_PORT_COMMAND: active.no_port_command,
    Cause.LOCAL_FIREWALL: active.local_firewall,
    Cause.REFUSED: either.refused,
    Cause.TIMED_OUT: either.timed_out,
    Cause.UNREACHABLE: either.unreachable,
    Cause.DATA_LOST: established.data_lost,
    Cause.STALLED: established.stalled,
    Cause.TLS_NOT_RESUMED: established.tls_not_resumed,
    Cause.PLAIN_ON_TLS: established.plain_on_tls,
    Cause.TLS_ON_PLAIN: established.tls_on_plain,
    Cause.TLS_FAILED: established.tls_failed,
    Cause.CONTROL_FILTERED: established.control_filtered,
    Cause.CONTROL_LOST: established.control_lost,
    Cause.NO_DESCRIPTOR: established.no_descriptor,
    Cause.CLOSING: established.closing,
}
