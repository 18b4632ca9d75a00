"""Compiled: what the source of a module that is compiled (`setup.py`) says to the compiler, and to nobody else."""

from __future__ import annotations

from typing import TYPE_CHECKING

__all__ = ["mypyc_attr"]

if TYPE_CHECKING:
    from mypy_extensions import mypyc_attr
else:

    def mypyc_attr(*, allow_interpreted_subclasses):
        """The class may be extended by classes that are not compiled."""
        del allow_interpreted_subclasses
        return lambda one: one
