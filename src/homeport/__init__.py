"""Homeport: the FTP server in Python that gets its connections right."""

__version__ = "0.1.0"
