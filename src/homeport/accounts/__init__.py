"""Who may do what: users, passwords, permissions, limits.

Knows neither FTP nor sockets: an account is asked with a name, a password and an address. May import
`homeport.protocol` only. Start reading at `model.py`, then `providers.py`.
"""
