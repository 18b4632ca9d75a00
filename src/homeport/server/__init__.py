"""How it runs: configuration, and the only place where things are built, wired, started, drained and stopped.

May import session and everything below it. Start reading at `build.py`, then `server.py` and `lobby.py`.
"""
