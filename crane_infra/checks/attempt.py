"""How one try of a check ended, whatever its kind. What it says holds no secrets."""

from dataclasses import dataclass

from crane_infra.checks.answer import Answer, expectation, fault, is_expected_status, names_other_version
from crane_infra.checks.question import Question
from crane_infra.checks.send import error_text
from crane_infra.redact import Redactor

SERVER_ERROR = 500


@dataclass(frozen=True)
class Attempt:
    """How one try ended: what was expected and what came, each in one line, and why that does not pass.

    What came is "" where it passes, since nobody is told and secrets would have to be looked for in all of it; why is "" there and where nothing came.
    """

    passed: bool
    expected: str
    came: str
    why: str = ""
    is_down: bool = False
    """Whether nothing answered, or a server error."""
    is_other_version: bool = False
    """Whether the answer names another version than the expected one, or none where one is due."""
    ran_out: bool = False
    """Whether the time was over before an answer came."""
    declared: str = ""
    """What was expected in the words of the catalog alone: ``expected`` may hold what an earlier answer gave."""
    bare: str = "no answer"
    """What came as a number alone: a status or an exit code, nothing that a worker or a command wrote."""

    @property
    def described(self) -> str:
        """What came, and why that does not pass."""
        return f"{self.came} ({self.why})" if self.why else self.came


def judged(question: Question, answer: Answer | Exception, version_id: str | None, redact: Redactor) -> Attempt:
    """What an answer to one question means."""
    expected = redact(expectation(question, version_id))
    if isinstance(answer, Exception):
        ran_out = isinstance(answer, TimeoutError)
        return Attempt(passed=False, expected=expected, came=redact(error_text(answer)), is_down=True, ran_out=ran_out, declared=expected)
    why = fault(question, answer, version_id)
    other_body = " with another body" if why and is_expected_status(question, answer.status) else ""
    return Attempt(
        passed=why is None,
        expected=expected,
        came="" if why is None else answer.summary(redact),
        why=redact(why or ""),
        is_down=answer.status >= SERVER_ERROR,
        is_other_version=names_other_version(question, answer, version_id),
        declared=expected,
        bare=f"status {answer.status}{other_body}",
    )
