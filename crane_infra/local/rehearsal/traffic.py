"""A client that asks live workers all the time and expects the same answers, in a thread of its own.

Counts answers and the versions that gave them, so that it can be seen that it asked while something happened. Prevents an adoption
that "changes nothing" because nobody looked meanwhile.
"""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import httpx

_PAUSE_SECONDS, _ANSWER_SECONDS = 0.03, 10.0


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
        self._seen, self._lock, self._over = Seen(), threading.Lock(), threading.Event()
        self._thread = threading.Thread(target=self._ask_on, daemon=True)

    def begin(self) -> None:
        """Begin to ask; what is answered first is what is expected from then on."""
        self._thread.start()

    def end(self) -> None:
        """Ask no more."""
        self._over.set()
        if self._thread.is_alive():
            self._thread.join()

    @property
    def answers(self) -> int:
        """The answers in this phase so far."""
        with self._lock:
            return self._seen.answers

    def phase(self) -> Seen:
        """What was seen since the last phase; another one begins."""
        with self._lock:
            seen, self._seen = self._seen, Seen()
        return seen

    def _ask_on(self) -> None:
        with httpx.Client(trust_env=False, timeout=_ANSWER_SECONDS) as client:
            while not self._over.is_set():
                for question in self._questions:
                    self._ask(client, question)
                self._over.wait(_PAUSE_SECONDS)

    def _ask(self, client: httpx.Client, question: Question) -> None:
        try:
            reply = client.get(question.url, headers=dict(question.headers))
            status, body = reply.status_code, reply.text
        except httpx.HTTPError as error:
            status, body = 0, type(error).__name__
        with self._lock:
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
