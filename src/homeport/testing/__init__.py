"""For our users and for us: a pytest plugin with an `ftp_server` fixture, and a strict raw client."""
