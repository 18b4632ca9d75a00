"""The language of FTP: bytes and values, pure functions, no I/O, no clock, no threads.

Imports nothing of Homeport but itself. Start reading at `command.py` (what a client says),
`reply.py` (what a server answers) and `grammar.py` (which answer may follow which command).
"""
