"""Truncated: the end of a protected connection that nobody vouches for."""


class Truncated(ConnectionError):
    """The peer ended the connection without close_notify: whether that was all nobody knows."""
