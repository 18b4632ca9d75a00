"""For our users and for us: a pytest plugin with an `ftp_server` fixture, and a strict raw client.

May import everything below it. Start reading at `client.py`; `replies.py` and `dialogue.py` are the rules
that it holds a server to. `plugin.py` is loaded by every pytest that finds Homeport installed, so it imports the
server only when a fixture is used.
"""
