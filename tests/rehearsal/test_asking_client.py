"""The client of a rehearsal: who waits for it knows that everything was asked since, not only that something was."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler

from crane_infra.rehearsal.asking_client import Question, Traffic
from tests.http_server import Server

PATIENCE = 60.0


class Held:
    """A server with the addresses /first and /second; the second one can be held."""

    def __init__(self) -> None:
        """Answer with the same text everywhere, at once."""
        self.text, self.free, self.reached = "as before", threading.Event(), threading.Event()
        self.free.set()
        held = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = held.text.encode()
                if self.path == "/second" and not held.free.is_set():
                    held.reached.set()
                    held.free.wait(PATIENCE)
                self.send_response(200)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def hold(self) -> None:
        """Hold the client in the middle of a round: it has asked the first address and waits for the second."""
        self.free.clear()
        assert self.reached.wait(PATIENCE)


@contextmanager
def asking() -> Iterator[tuple[Held, Traffic]]:
    """A client that asks such a server."""
    held = Held()
    serving = threading.Thread(target=held.server.serve_forever)
    traffic = Traffic([Question(f"{held.url}/first"), Question(f"{held.url}/second")])
    serving.start()
    traffic.begin()
    try:
        yield held, traffic
    finally:
        held.free.set()
        traffic.end()
        held.server.shutdown()
        serving.join()
        held.server.server_close()


def test_what_changes_before_a_wait_is_seen_by_its_end_also_in_the_middle_of_a_round() -> None:
    with asking() as (held, traffic), ThreadPoolExecutor() as threads:
        assert traffic.asked_again(PATIENCE)
        held.hold()
        held.text = "otherwise"
        waiting = threads.submit(traffic.asked_again, PATIENCE)
        held.free.set()
        assert waiting.result(PATIENCE)
        faults = traffic.phase().faults
    assert f"{held.url}/first: answered with another body" in faults
    assert f"{held.url}/second: answered with another body" in faults


def test_a_client_that_gets_no_further_is_told_from_one_that_asked() -> None:
    with asking() as (held, traffic):
        assert traffic.asked_again(PATIENCE)
        held.hold()
        assert traffic.asked_again(0.0) == 0
