"""The firewalls of Linux: ufw, firewalld, nftables, iptables.

None of the rules uses a kernel's FTP helper (ufw's and firewalld's service "ftp" would load it): it reads port 21 only,
is blind to TLS, and together with an announced external address it breaks PASV. Fixed ports need no helper.
"""

from __future__ import annotations

from .openings import Needs, Opening, comments, listed, text

_ANSWERS = "Both ways: the rest of each connection that was let through."
_HELPER = (
    "Not --add-service=ftp: that opens port 21 only and loads the kernel's FTP helper, which is blind to TLS and "
    "breaks PASV where an external address is announced."
)
_PLACE = (
    "The rules come first in the chains `input` and `output` of the table `inet filter`, as Debian, Arch and others "
    "name them; `nft list ruleset` shows whether yours have other names. They must stand where connections are "
    "dropped: what one chain accepts, another may still drop."
)


def ufw(needs: Needs) -> str:
    def rule(one: Opening) -> str:
        ports = one.ports.text(":")
        if not one.outgoing:
            return f"ufw allow proto tcp to any port {ports} comment '{one.name}'"
        source = f" port {one.source}" if one.source else ""
        return f"ufw allow out proto tcp from any{source} to any port {ports} comment '{one.name}'"

    return text([
        *comments(needs.notes),
        *listed(needs.incoming, rule),
        *comments(["The last is needed only where ufw denies outgoing connections."]),
        *listed([needs.outgoing], rule),
    ])  # fmt: skip


def firewalld(needs: Needs) -> str:
    def rule(one: Opening) -> str:
        if not one.outgoing:
            return f"firewall-cmd --permanent --add-port={one.ports.text()}/tcp"
        which = f'source-port port="{one.source}"' if one.source else f'port port="{one.ports.text()}"'
        return f"# firewall-cmd --permanent --policy=POLICY --add-rich-rule='rule {which} protocol=\"tcp\" accept'"

    return text([
        *comments([*needs.notes, _HELPER]),
        *listed(needs.incoming, rule),
        *comments(["firewalld lets everything out; where a policy of yours does not, add this to it by its name:"]),
        *listed([needs.outgoing], rule),
        "firewall-cmd --reload",
    ])  # fmt: skip


def nftables(needs: Needs) -> str:
    """A file for `nft -f`. It adds rules, and neither removes any nor changes a policy."""
    family = needs.family("meta nfproto ipv4 ", "meta nfproto ipv6 ")

    def rule(one: Opening) -> str:
        source = f"tcp sport {one.source} " if one.source else ""
        match = f"{family}{source}tcp dport {one.ports.text()} ct state new"
        return f'insert rule inet filter {"output" if one.outgoing else "input"} {match} accept comment "{one.name}"'

    return text([
        *comments(["Try it with: nft -c -f FILE", "Load it with: nft -f FILE", _PLACE, *needs.notes]),
        "add table inet filter",
        "add chain inet filter input { type filter hook input priority filter; }",
        "add chain inet filter output { type filter hook output priority filter; }",
        *listed(needs.all, rule),
        *comments([_ANSWERS]),
        f'insert rule inet filter input {family}ct state established accept comment "FTP answers"',
        f'insert rule inet filter output {family}ct state established accept comment "FTP answers"',
    ])  # fmt: skip


def iptables(needs: Needs) -> str:
    """A file for `iptables-restore --noflush`, and for that of IPv6. It adds rules and removes none."""
    programs = [name for name, served in (("iptables", needs.ipv4), ("ip6tables", needs.ipv6)) if served]

    def rule(one: Opening) -> str:
        source = f" --sport {one.source}" if one.source else ""
        match = f"-p tcp{source} --dport {one.ports.text(':')} -m conntrack --ctstate NEW"
        return f'-I {"OUTPUT" if one.outgoing else "INPUT"} {match} -m comment --comment "{one.name}" -j ACCEPT'

    return text([
        *comments(f"Try it with: {one}-restore --noflush --test FILE" for one in programs),
        *comments(f"Load it with: {one}-restore --noflush FILE" for one in programs),
        *comments(needs.notes),
        "*filter",
        *listed(needs.all, rule),
        *comments([_ANSWERS]),
        "-I INPUT -p tcp -m conntrack --ctstate ESTABLISHED -j ACCEPT",
        "-I OUTPUT -p tcp -m conntrack --ctstate ESTABLISHED -j ACCEPT",
        "COMMIT",
    ])  # fmt: skip
