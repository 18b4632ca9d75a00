"""ControlLost: raised by whoever reads or writes a control connection that is gone."""


class ControlLost(ConnectionError):
    """The control connection is gone: closed by the client, reset, or no longer read by it."""
