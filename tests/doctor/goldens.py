"""Texts that are kept in files: compared, and written anew with HOMEPORT_GOLDEN=write."""

from __future__ import annotations

import os
from pathlib import Path

FOLDER = Path(__file__).parent / "golden"


def compare(name: str, text: str) -> None:
    """AssertionError unless *text* is what the file *name* holds."""
    path = FOLDER / name
    if os.environ.get("HOMEPORT_GOLDEN") == "write":
        path.write_text(text, "utf-8")
    assert text == path.read_text("utf-8")
