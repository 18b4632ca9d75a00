"""Sockets, TLS, addresses of this machine, routers.

May import `homeport.protocol` only. Start reading at `listener.py`.
"""
