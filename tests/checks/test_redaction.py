"""What an answer says is looked through for secrets where somebody is told, and what hides them is made once: both take longer than the question."""

from crane_infra.checks.answer import Answer
from crane_infra.checks.attempt import judged
from crane_infra.checks.model import Check
from crane_infra.checks.request import Target
from crane_infra.redact import Redactor


def test_an_answer_that_passes_is_not_searched_for_secrets_and_one_that_fails_is() -> None:
    searched: list[str] = []

    class Noting(Redactor):
        """Notes what it was asked to look through."""

        def __call__(self, text: str) -> str:
            searched.append(text)
            return super().__call__(text)

    check, redact = Check(name="health", path="/health"), Noting({"KEY": "a-secret-value"})
    body = b"a long answer with a-secret-value"
    assert judged(check, Answer(200, body), None, redact).passed
    assert body.decode() not in searched
    failed = judged(check, Answer(500, body), None, redact)
    assert body.decode() in searched
    assert failed.came == "500 a long answer with [secret KEY]"


def test_what_hides_the_secrets_of_a_worker_is_made_once() -> None:
    target = Target("worker", "https://worker.example", None, {"KEY": "a-secret-value"})
    assert target.redact is target.redact
    assert target.redact("a-secret-value") == "[secret KEY]"
    assert "a-secret-value" not in repr(target)
