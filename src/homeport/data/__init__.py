"""The second connection: the server-DTP of RFC 959 §2.3.

Where a data connection comes from, and how octets move over it. May import storage, accounts, net, events,
advice and protocol; knows nothing of sessions. Start reading at `ports.py` (passive) and `channel.py` (active), then
`stream.py` and `transfer.py`.
"""
