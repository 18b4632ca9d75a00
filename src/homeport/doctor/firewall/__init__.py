"""This machine's own firewall, read and never changed: what would become of a new connection to a port?

`rules.py` has the rules in one form, `verdict.py` the answer; `nftables.py`, `iptables.py` and `ufw.py` read what the
programs of these names print. Start at `reading.py`.
"""
