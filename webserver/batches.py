"""A thread that answers the requests that wait at the same time together.

A request that comes alone costs as much as in its own thread. Under load, those
that come while a batch is answered become the next batch, so the work that they share
(a query, a commit, a wake-up of the event loop) is done once for all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Thread

from webserver.calls import Call, Request, answer_calls
from webserver.reading import Message
from webserver.wsgi import Environ, Headers, answer_messages, build_environ

MAX_REQUESTS = 32
MAX_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A whole answer of an application."""

    status: int
    headers: Headers
    body: bytes


# Returns the answer to each request, or None for one that a thread is to answer alone.
AnswerTogether = Callable[[Sequence[Environ]], Sequence[Answer | None]]


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A call, its request, and how to start the thread that answers it alone."""

    call: Call
    request: Request
    answer_alone: Callable[[], None]


class BatchThread:
    """Answers at most 32 requests or 1 MB together, and never waits for more."""

    def __init__(self, answer_together: AnswerTogether) -> None:
        self._answer_together = answer_together
        self._calls: SimpleQueue[tuple[Call, Callable[[], None]]] = SimpleQueue()
        self._thread: Thread | None = None

    def add(self, call: Call, *, answer_alone: Callable[[], None]) -> None:
        """Queue a call. Only for the event loop; the first call starts the thread."""
        if self._thread is None:
            self._thread = Thread(target=self._run, name="batches", daemon=True)
            self._thread.start()
        self._calls.put((call, answer_alone))

    def _run(self) -> None:
        while True:
            if batch := self._next_batch():
                self._answer(batch)

    def _next_batch(self) -> list[_Waiting]:
        """Wait for a call; return it with those that came since the last batch."""
        batch: list[_Waiting] = []
        size = 0
        call, answer_alone = self._calls.get()
        while True:
            if (request := call.take()) is not None:
                batch.append(_Waiting(call, request, answer_alone))
                size += len(request[1])
            if len(batch) == MAX_REQUESTS or size >= MAX_BYTES:
                return batch
            try:
                call, answer_alone = self._calls.get_nowait()
            except Empty:
                return batch

    def _answer(self, batch: Sequence[_Waiting]) -> None:
        done: list[tuple[Call, list[Message] | BaseException]] = []
        alone: list[_Waiting] = []
        try:
            environs = [build_environ(*waiting.request) for waiting in batch]
            answers = self._answer_together(environs)
            for waiting, answer in zip(batch, answers, strict=True):
                if answer is None:
                    alone.append(waiting)
                    continue
                messages = answer_messages(answer.status, answer.headers, answer.body)
                done.append((waiting.call, messages))
        except BaseException as error:  # noqa: BLE001 - raised in the event loop
            answer_calls([(waiting.call, error) for waiting in batch])
            return
        answer_calls(done)
        for waiting in alone:
            waiting.call.put_back(waiting.request)
            waiting.answer_alone()
