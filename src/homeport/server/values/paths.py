"""Paths of the host."""

from __future__ import annotations

import os

from pydantic import ValidationInfo

from .text import OptionError, Origin


def parse_path(value: object, info: ValidationInfo) -> str:
    """An absolute path of the host; a relative one is relative to the configuration file, "~" is the own home."""
    if not isinstance(value, str) or not value or "\x00" in value:
        raise OptionError("a path is text and not empty")
    origin: Origin | None = info.context
    return os.path.abspath(os.path.join(origin.directory if origin else "", os.path.expanduser(value)))


def parse_state(value: object, info: ValidationInfo) -> str:
    path = parse_path(value, info)
    if info.context is not None and os.path.lexists(path) and not os.path.isdir(path):
        raise OptionError(f"{path} is not a directory")
    return path


def parse_home(value: object, info: ValidationInfo) -> str:
    """A directory; it may be missing where the account, by an option before this one, is not enabled."""
    path = parse_path(value, info)
    if info.context is not None and info.data.get("enabled", True) and not os.path.isdir(path):
        there = os.path.lexists(path)
        raise OptionError(f"{path} is not a directory" if there else f"the directory {path} does not exist")
    return path


def parse_readable(value: object, info: ValidationInfo) -> str:
    path = parse_path(value, info)
    if info.context is not None:
        if not os.path.isfile(path):
            raise OptionError(f"{path} is not a file" if os.path.lexists(path) else f"the file {path} does not exist")
        if not os.access(path, os.R_OK):
            raise OptionError(f"the file {path} may not be read by this user")
    return path


def parse_log_file(value: object, info: ValidationInfo) -> str:
    path = parse_path(value, info)
    if info.context is not None:
        if os.path.isdir(path):
            raise OptionError(f"{path} is a directory, and a log is a file")
        if not os.path.isdir(os.path.dirname(path)):
            raise OptionError(f"the directory {os.path.dirname(path)} does not exist")
    return path
