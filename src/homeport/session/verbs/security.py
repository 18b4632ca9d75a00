"""Protection: the verbs of RFC 2228 and RFC 4217. Without TLS the table answers 502 for each (RFC 2228 §3)."""

from __future__ import annotations

from homeport.session.commands import Verb

VERBS: tuple[Verb, ...] = ()
