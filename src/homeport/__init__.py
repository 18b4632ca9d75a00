"""Homeport: the FTP server in Python that gets its connections right.

    with homeport.Server("/srv/files", user="bob", password="secret") as server:
        print(server.url)

The names here are the public ones. They are loaded when they are first used, so that `import homeport`, and a command
that only wants to tell its version, costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from homeport.server.config import Config as Config
    from homeport.server.config import UserOptions as UserOptions
    from homeport.server.listening import AddressUnavailable as AddressUnavailable
    from homeport.server.listening import PortForbidden as PortForbidden
    from homeport.server.listening import PortInUse as PortInUse
    from homeport.server.listening import StartError as StartError
    from homeport.server.server import Server as Server
    from homeport.server.view import SessionView as SessionView

__version__ = "0.1.0"

_PLACES = {
    "AddressUnavailable": "homeport.server.listening",
    "Config": "homeport.server.config",
    "PortForbidden": "homeport.server.listening",
    "PortInUse": "homeport.server.listening",
    "Server": "homeport.server.server",
    "SessionView": "homeport.server.view",
    "StartError": "homeport.server.listening",
    "UserOptions": "homeport.server.config",
}

__all__ = [
    "AddressUnavailable",
    "Config",
    "PortForbidden",
    "PortInUse",
    "Server",
    "SessionView",
    "StartError",
    "UserOptions",
    "__version__",
]


def __getattr__(name: str) -> object:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value: object = getattr(import_module(_PLACES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_PLACES})
