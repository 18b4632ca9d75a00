"""One client: the server-PI of RFC 959 §2.3.

Its state, one gate, and the verbs. May import data and everything below it. Start reading at `commands.py`
(what a verb is), then `dispatch.py` (the gate) and `conversation.py` (the loop).
"""
