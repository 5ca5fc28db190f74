"""A client that asks live workers all the time and expects the same answers, in a thread of its own.

It asks in rounds, every question once in each. Counts answers and the versions that gave them, and tells when every question was asked after a
given moment. Prevents an adoption that "changes nothing" because nobody looked meanwhile.
"""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import httpx

_PAUSE_SECONDS, _ANSWER_SECONDS = 0.03, 30.0


@dataclass(frozen=True)
class Question:
    """What is asked. ``steady``: status and body never change; else the body only says which version answered."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    steady: bool = True


@dataclass
class Seen:
    """What a phase saw: answers, what was wrong with some, and the versions that answered."""

    answers: int = 0
    faults: list[str] = field(default_factory=list)
    versions: set[str] = field(default_factory=set)


class Traffic:
    """Asks from ``begin`` to ``end``."""

    def __init__(self, questions: Sequence[Question]) -> None:
        """Know what to ask."""
        self._questions = questions
        self._first: dict[str, tuple[int, str]] = {}
        self._seen, self._changed, self._over = Seen(), threading.Condition(), threading.Event()
        self._begun = self._ended = 0
        self._thread = threading.Thread(target=self._ask_on, daemon=True)

    def begin(self) -> None:
        """Begin to ask; what is answered first is what is expected from then on."""
        self._thread.start()

    def end(self) -> None:
        """Ask no more."""
        self._over.set()
        if self._thread.is_alive():
            self._thread.join()

    def asked_anew(self, seconds: float) -> int:
        """Wait until every question was asked and answered after this call: a round that is under way does not count.

        Gives the answers in this phase so far; 0 where that did not come about within so many seconds.
        """
        with self._changed:
            next_round = self._begun + 1
            return self._seen.answers if self._changed.wait_for(lambda: self._ended >= next_round, seconds) else 0

    def phase(self) -> Seen:
        """What was seen since the last phase; another one begins."""
        with self._changed:
            seen, self._seen = self._seen, Seen()
        return seen

    def _ask_on(self) -> None:
        with httpx.Client(trust_env=False, timeout=_ANSWER_SECONDS) as client:
            while not self._over.is_set():
                self._round(client)
                self._over.wait(_PAUSE_SECONDS)

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
            self._seen.answers += 1
            if fault := self._fault(question, status, body):
                self._seen.faults.append(f"{question.url}: {fault}")
            elif not question.steady:
                self._seen.versions.add(body)

    def _fault(self, question: Question, status: int, body: str) -> str | None:
        if status != httpx.codes.OK:
            return f"answered {status or body}"
        if question.steady and self._first.setdefault(question.url, (status, body)) != (status, body):
            return "answered with another body"
        return None
