"""What a session keeps between two commands: of what all have alike, nothing of its own."""

from __future__ import annotations

import pytest

from homeport.protocol.grammar import GRAMMAR
from homeport.session.conversation import Conversation
from homeport.session.state import Session

from . import harness as harness_module
from .harness import Harness


def test_sessions_share_what_they_have_set_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    sessions: list[Session] = []

    def seen(*arguments: object) -> Conversation:
        conversation = Conversation(*arguments)  # type: ignore[arg-type]  # passed on as they came
        sessions.append(conversation.session)
        return conversation

    monkeypatch.setattr(harness_module, "Conversation", seen)
    with Harness() as harness:
        clients = [harness.client(), harness.client()]
        for client in clients:
            client.ask("TYPE I", 200)
            client.ask("EPSV", 229)
        first, second = sessions
        assert first.representation is second.representation
        assert first.when_unused is second.when_unused is not None
        assert first.when_over is second.when_over is not None
        assert first.data_verb is second.data_verb is GRAMMAR["EPSV"].verb
        for client in clients:
            client.ask("QUIT", 221)
