"""What happened, as typed values, and who wants to know.

Imports nothing of Homeport but itself. Start reading at `types.py`; `bus.py` hands events on,
`console.py`, `jsonlog.py` and `xferlog.py` write them down.
"""
