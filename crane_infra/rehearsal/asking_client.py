"""A client that keeps calling live workers and expects the same answers, in a thread of its own.

It asks in rounds, each question once per round. It counts answers, records the versions that answered, and can wait until every question was
asked after a given moment. So an adoption is only found to change nothing if a client was calling all the time.
"""

import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx

_PAUSE_SECONDS, _ANSWER_SECONDS = 0.03, 30.0


@dataclass(frozen=True)
class Question:
    """A GET request. ``steady``: status and body must never change. If not, the body only tells which version answered."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    steady: bool = True


@dataclass
class Answers:
    """The answers of one phase: how many, the faults in them, and which versions answered how often."""

    count: int = 0
    faults: list[str] = field(default_factory=list)
    times: Counter[str] = field(default_factory=Counter)
    """How often each version answered."""

    @property
    def versions(self) -> set[str]:
        """The versions that answered."""
        return set(self.times)

    @property
    def wrong(self) -> list[str]:
        """The faults that are answers: without those where none came in time, which happens on a machine that does too much at once."""
        return [fault for fault in self.faults if not fault.endswith("Timeout")]


class Traffic:
    """Asks from ``begin`` until ``end``."""

    def __init__(self, questions: Sequence[Question], pause: float = _PAUSE_SECONDS) -> None:
        """Ask these questions, with a pause between two rounds."""
        self._questions, self._pause = questions, pause
        self._first: dict[str, tuple[int, str]] = {}
        self._answers, self._changed, self._over = Answers(), threading.Condition(), threading.Event()
        self._begun = self._ended = 0
        self._thread = threading.Thread(target=self._ask_on, daemon=True)

    def begin(self) -> None:
        """Begin to ask. The first answer to each question is the one expected from then on."""
        self._thread.start()

    def end(self) -> None:
        """Stop asking."""
        self._over.set()
        if self._thread.is_alive():
            self._thread.join()

    def asked_again(self, seconds: float) -> int:
        """Wait until every question was asked and answered after this call; a round that has begun does not count.

        Returns the number of answers in this phase so far, or 0 if it takes longer than ``seconds``.
        """
        with self._changed:
            next_round = self._begun + 1
            return self._answers.count if self._changed.wait_for(lambda: self._ended >= next_round, seconds) else 0

    def phase(self) -> Answers:
        """The answers since the last phase; the next phase begins."""
        with self._changed:
            answers, self._answers = self._answers, Answers()
        return answers

    def _ask_on(self) -> None:
        with httpx.Client(trust_env=False, timeout=_ANSWER_SECONDS) as client:
            while not self._over.is_set():
                self._round(client)
                self._over.wait(self._pause)

    def _round(self, client: httpx.Client) -> None:
        with self._changed:
            self._begun += 1
        for question in self._questions:
            self._ask(client, question)
        with self._changed:
            self._ended += 1
            self._changed.notify_all()

    def _ask(self, client: httpx.Client, question: Question) -> None:
        try:
            reply = client.get(question.url, headers=dict(question.headers))
            status, body = reply.status_code, reply.text
        except httpx.HTTPError as error:
            status, body = 0, type(error).__name__
        with self._changed:
            self._answers.count += 1
            if fault := self._fault(question, status, body):
                self._answers.faults.append(f"{question.url}: {fault}")
            elif not question.steady:
                self._answers.times[body] += 1

    def _fault(self, question: Question, status: int, body: str) -> str | None:
        if status != httpx.codes.OK:
            return f"answered {status or body}"
        if question.steady and self._first.setdefault(question.url, (status, body)) != (status, body):
            return "answered with another body"
        return None


@contextmanager
def asking(*questions: Question, pause: float = _PAUSE_SECONDS) -> Iterator[Traffic]:
    """Ask these questions until the end of the block, from before its first line: every question was answered once by then."""
    traffic = Traffic(questions, pause)
    traffic.begin()
    try:
        if not traffic.asked_again(_ANSWER_SECONDS):
            message = "the client got no answer"
            raise TimeoutError(message)
        yield traffic
    finally:
        traffic.end()
