"""VirtualPath: a pathname as clients see it (RFC 3659 §6, TVFS). It never touches a disk.

"/" is the root and separates names. A path is kept absolute and in its shortest form: "//", "."
and a trailing "/" vanish, ".." goes up and stops at the root, so no spelling leads out of it.
Names are octets on the wire and str with surrogate escapes in here; any octet but NUL, LF and "/"
may stand in one. LF is refused because a listing or a reply could not carry it (RFC 3659 §2.2).
"""

from __future__ import annotations


class PathError(ValueError):
    """A pathname that no storage may be asked for."""


class VirtualPath:
    """An absolute, normalised pathname. Equal paths are equal and hash alike."""

    __slots__ = ("text",)

    text: str

    def __init__(self, text: str) -> None:
        """Take *text* as it is: it must already be absolute and normalised. Clients' text goes to `parse`."""
        self.text = text

    @classmethod
    def parse(cls, text: str, base: VirtualPath | None = None) -> VirtualPath:
        """The path that *text* names, relative to *base* unless it begins with "/".

        Raises PathError for an empty text and for NUL or LF in it.
        """
        if not text:
            raise PathError("the pathname is empty")
        if "\x00" in text or "\n" in text:
            raise PathError("a pathname cannot hold a NUL or a line feed")
        if text[0] != "/" and base is not None and base.text != "/":
            text = base.text + "/" + text
        names: list[str] = []
        for name in text.split("/"):
            if not name or name == ".":
                continue
            if name == "..":
                if names:
                    names.pop()
            else:
                names.append(name)
        return cls("/" + "/".join(names))

    @property
    def names(self) -> tuple[str, ...]:
        """The names from the root down; the root has none."""
        return tuple(self.text[1:].split("/")) if len(self.text) > 1 else ()

    @property
    def name(self) -> str:
        """The last name; empty for the root."""
        return self.text.rpartition("/")[2]

    @property
    def parent(self) -> VirtualPath:
        """The directory that holds this; the root's is the root."""
        return VirtualPath(self.text.rpartition("/")[0] or "/")

    @property
    def is_root(self) -> bool:
        return self.text == "/"

    def child(self, name: str) -> VirtualPath:
        """The path of *name* in this directory. *name* is one element, no separator in it."""
        return VirtualPath(self.text + name if self.text == "/" else f"{self.text}/{name}")

    def starts_with(self, prefix: VirtualPath) -> bool:
        """Whether this is *prefix* or lies below it."""
        return prefix.text == "/" or self.text == prefix.text or self.text.startswith(prefix.text + "/")

    def quoted(self) -> str:
        """In double quotes, inner quotes doubled, as 257 has it (RFC 959 Appendix II)."""
        return '"' + self.text.replace('"', '""') + '"'

    def __eq__(self, other: object) -> bool:
        return isinstance(other, VirtualPath) and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)

    def __repr__(self) -> str:
        return f"VirtualPath({self.text!r})"

    def __str__(self) -> str:
        return self.text


ROOT = VirtualPath("/")
