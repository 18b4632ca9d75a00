"""Questions: what is asked of all workers at once, and their answers put together.

Who asks waits in a thread of its own, and not for a worker that does not answer: what is known by then is the answer.
"""

from __future__ import annotations

import itertools
import pickle
import threading
from collections.abc import Callable, Iterable, Sequence
from functools import partial

from .crew import Worker
from .loop import Loop
from .view import SessionView

SECONDS = 2.0
"""For all to answer."""


class _Question:
    __slots__ = ("answers", "done", "left")

    def __init__(self, workers: Iterable[Worker]) -> None:
        self.left = set(workers)
        self.answers: list[object] = []
        self.done = threading.Event()

    def settle(self, worker: Worker) -> None:
        self.left.discard(worker)
        if not self.left:
            self.done.set()


class Questions:
    """`views`, `kick` and `reopen` from any thread but the supervisor's, all else in that."""

    def __init__(self, loop: Loop, workers: Callable[[], Sequence[Worker]]) -> None:
        self._loop = loop
        self._workers = workers
        self._numbers = itertools.count(1)
        self._open: dict[int, _Question] = {}

    def views(self) -> tuple[SessionView, ...]:
        """The sessions of all, in the order of their numbers."""
        packed = [one for answer in self._ask("view") if isinstance(answer, list) for one in answer]
        return tuple(
            sorted(
                (pickle.loads(one) for one in packed),  # noqa: S301 - see `packets.py`
                key=_number,
            )
        )

    def kick(self, session: int) -> bool:
        """End this session, whosever it is; whether anybody has it."""
        return any(answer is True for answer in self._ask("kick", session))

    def reopen(self) -> None:
        """Open all logs anew. OSError of the first that could not."""
        for answer in self._ask("reopen"):
            match answer:
                case (int(number), str(text), name):
                    raise OSError(number, text, name)

    def _ask(self, what: str, *details: object) -> list[object]:
        if self._loop.owns_current():
            raise RuntimeError("this thread is needed for the answers")
        number = next(self._numbers)
        asked: list[_Question] = []
        begun = threading.Event()

        def ask() -> None:
            question = self._open[number] = _Question(self._workers())
            asked.append(question)
            begun.set()
            if not question.left:
                question.done.set()
            for worker in tuple(question.left):
                if not worker.order((what, number, *details)):
                    question.settle(worker)

        if self._loop.call(ask) and begun.wait(SECONDS):
            asked[0].done.wait(SECONDS)
        self._loop.call(partial(self._close, number))
        return list(asked[0].answers) if asked else []

    def _close(self, number: int) -> None:
        del self._open[number]

    def answered(self, number: int, worker: Worker, answer: object, *, more: bool) -> None:
        """*worker* has answered; with *more*, only a part of it."""
        question = self._open.get(number)
        if question is not None:
            question.answers.append(answer)
            if not more:
                question.settle(worker)

    def gone(self, worker: Worker) -> None:
        """*worker* will answer nothing any more."""
        for question in self._open.values():
            question.settle(worker)


def _number(view: SessionView) -> int:
    return view.number
