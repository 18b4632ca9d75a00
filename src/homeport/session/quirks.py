"""Quirks: clients that are known to do something in a way of their own, by what CLNT or CSID say of them.

Each row names where the client's own people say so, and the test that holds what is done about it.
"""

from __future__ import annotations

NO_CLOSE_NOTIFY: tuple[str, ...] = (
    # With .NET Framework 4 it cannot send one: its issues 771, 930 and 996.
    "*FluentFTP*",
    # Its issue 29.
    "*Starksoft*",
)
"""Patterns of clients that end an upload by closing the connection, and send no close_notify before.

What they send may be cut on its way without anybody noticing; for all others such an upload is not complete
(D-15, tests/tls/test_ends.py).
"""
