"""What nftables is told at each place: home routers, providers' translators, and the firewalls of hosts."""

from __future__ import annotations

from .layout import Side

CARRIER = """
table ip nat {
    chain after { type nat hook postrouting priority 100; oifname wan masquerade; }
}
table ip filter {
    chain through { type filter hook forward priority 0; policy drop;
        ct state established,related accept; iifname lan accept; }
}
"""
"""A provider's translator: like a home router's, and nobody can have a port forwarded. IPv6 passes."""


def router(side: Side, host: str, wan: str, *, hairpin: bool, stealth: bool) -> str:
    """The rules of a router with *host* behind it and *wan* as its outside address."""
    parts = []
    if side.translated:
        onward = "\n        ".join(
            f"{'' if hairpin else 'iifname wan '}ip daddr {wan} tcp dport {outer} dnat to {host}:{inner};"
            for outer, inner in side.forwards
        )
        turned = "iifname lan oifname lan ct status dnat masquerade;" if hairpin else ""
        parts.append(f"""
table ip nat {{
    chain before {{ type nat hook prerouting priority -100;
        {onward}
    }}
    chain after {{ type nat hook postrouting priority 100;
        {turned}
        oifname wan masquerade;
    }}
}}""")
    if stealth:
        parts.append("""
table inet quiet {
    chain input { type filter hook input priority 0; iifname wan ct state new meta l4proto tcp drop; }
}""")
    if side.gateway:
        # Linux gives nobody a helper by itself any more: a rule has to.
        parts.append("""
table inet gateway {
    ct helper ftp { type "ftp" protocol tcp; }
    chain before { type filter hook prerouting priority -150; tcp dport 21 ct helper set "ftp"; }
}""")
    opened = f"tcp dport {{ {', '.join(str(inner) for _, inner in side.forwards)} }} accept;" if side.forwards else ""
    parts.append(f"""
table ip filter {{
    chain through {{ type filter hook forward priority 0; policy {"drop" if side.translated else "accept"};
        ct state established,related accept; iifname lan accept; ct status dnat accept; }}
}}
table ip6 filter {{
    chain through {{ type filter hook forward priority 0; policy {"drop" if side.translated else "accept"};
        ct state established,related accept; iifname lan accept; meta l4proto ipv6-icmp accept; {opened} }}
}}""")
    return "\n".join(parts) + "\n"


def host_firewall(side: Side, *, reject: bool) -> str:
    """The rules of a host's own firewall."""
    last = "meta l4proto tcp reject with tcp reset;" if reject else ""
    common = "ct state established,related accept; meta l4proto { icmp, ipv6-icmp } accept;"
    outgoing = (
        ""
        if side.lets_out
        else f"""
    chain output {{ type filter hook output priority 0; policy drop; oifname lo accept; {common} }}"""
    )
    return f"""
table inet firewall {{
    chain input {{ type filter hook input priority 0; policy drop; iifname lo accept;
        {common} {side.lets_in} accept; {last} }}{outgoing}
}}
"""
