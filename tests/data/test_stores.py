"""Backups go into a folder or a bucket as a whole or not at all, and requests to a bucket are signed as S3 asks for."""

import errno
import hashlib
import hmac
import re
import threading
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import NoReturn
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest

from crane_infra.data.backup.s3 import Credentials, Signable, signed_headers
from crane_infra.data.backup.stores import store_at
from crane_infra.errors import DataError
from tests.http_server import Server

KEY, SECRET = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_a_signature_is_the_one_of_amazons_own_example() -> None:
    headers = {"host": "examplebucket.s3.amazonaws.com", "range": "bytes=0-9"}
    request = Signable("GET", "/test.txt", {}, headers, EMPTY)
    signed = signed_headers(request, Credentials(KEY, SECRET, "us-east-1"), datetime(2013, 5, 24, tzinfo=UTC))
    assert signed["authorization"].endswith("Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41")


class BucketServer:
    """A bucket that lists two files at a time, and refuses what is not signed with its secret."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.url = ""
        self.claimed = 0
        """How many bytes an answer says that it has, where it says something else than it has."""

    def answer(self, method: str, url: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
        path, query = urlsplit(url).path, dict(parse_qsl(urlsplit(url).query, keep_blank_values=True))
        if not self._is_signed(method, path, query, headers) or headers["x-amz-content-sha256"] != hashlib.sha256(body).hexdigest():
            return 403, b"<Error><Code>SignatureDoesNotMatch</Code></Error>"
        bucket, _, key = unquote(path).strip("/").partition("/")
        if bucket != "backups":
            return 404, b"<Error><Code>NoSuchBucket</Code></Error>"
        if method == "GET" and not key:
            names = sorted(name for name in self.files if name.startswith(query["prefix"]) and name > query.get("continuation-token", ""))
            more = f"<NextContinuationToken>{names[1]}</NextContinuationToken>" if len(names) > 2 else ""
            return 200, f"<X>{''.join(f'<Key>{name}</Key>' for name in names[:2])}{more}</X>".encode()
        if method == "PUT":
            self.files[key] = body
        if method == "DELETE":
            self.files.pop(key, None)
        return (200, self.files.get(key, b"")) if method != "GET" or key in self.files else (404, b"<Error><Code>NoSuchKey</Code></Error>")

    @staticmethod
    def _is_signed(method: str, path: str, query: dict[str, str], headers: dict[str, str]) -> bool:
        match = re.fullmatch(
            r"AWS4-HMAC-SHA256 Credential=\w+/(\d+)/.*,SignedHeaders=(.*),Signature=(.*)", headers.get("authorization", "")
        )
        if not match:
            return False
        names = {name: headers[name] for name in match[2].split(";") if name not in {"x-amz-date", "x-amz-content-sha256"}}
        now = datetime.strptime(headers["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        request = Signable(method, path, query, names, headers["x-amz-content-sha256"])
        expected = signed_headers(request, Credentials(KEY, SECRET, "eu-west-1"), now)
        return hmac.compare_digest(expected["authorization"], headers["authorization"])


@pytest.fixture
def bucket() -> Iterator[BucketServer]:
    server = BucketServer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            status, content = server.answer(self.command, self.path, {name.lower(): value for name, value in self.headers.items()}, body)
            self.send_response(status)
            self.send_header("content-length", str(server.claimed or len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_PUT = do_DELETE = do_GET  # noqa: N815 - names that the base class looks for

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name that the base class gives it
            """Stay silent."""

    with Server(("127.0.0.1", 0), Handler) as http:
        server.url = f"http://127.0.0.1:{http.server_port}"
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            http.shutdown()
            thread.join()


def environ(bucket: BucketServer, **more: str) -> dict[str, str]:
    key = {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_REGION": "eu-west-1", "AWS_ENDPOINT_URL": bucket.url}
    return key | more


@pytest.mark.parametrize("kind", ["folder", "bucket"])
def test_files_are_put_listed_fetched_and_removed(kind: str, bucket: BucketServer, tmp_path: Path) -> None:
    place = str(tmp_path / "kept") if kind == "folder" else "s3://backups/crane/nightly"
    store = store_at(place, environ(bucket))
    store.prepare()
    assert store.names() == []
    for number in range(5):
        (tmp_path / f"ä b-{number}.gz").write_bytes(bytes([number]) * 3000)
        store.put(tmp_path / f"ä b-{number}.gz")
    bucket.files["other/x.gz"] = b""
    assert store.names() == [f"ä b-{number}.gz" for number in range(5)]
    (tmp_path / "into").mkdir()
    assert store.get("ä b-3.gz", tmp_path / "into").read_bytes() == b"\x03" * 3000
    store.remove("ä b-0.gz")
    assert len(store.names()) == 4


def test_a_bucket_that_refuses_or_is_missing_is_one_line_without_the_key(bucket: BucketServer) -> None:
    wrong = store_at("s3://backups/x", environ(bucket, AWS_SECRET_ACCESS_KEY="other-secret"))
    with pytest.raises(DataError, match=r"^s3://backups/x/: the bucket refused it: status 403, SignatureDoesNotMatch") as refused:
        wrong.names()
    assert "other-secret" not in f"{refused.value!r} {wrong!r}"
    with pytest.raises(DataError, match="status 404, NoSuchBucket"):
        store_at("s3://other", environ(bucket)).names()
    with pytest.raises(DataError, match="the bucket does not answer"):
        store_at("s3://backups", environ(bucket, AWS_ENDPOINT_URL="http://127.0.0.1:1")).names()
    with pytest.raises(DataError, match="it needs AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment"):
        store_at("s3://backups", {})


@pytest.mark.parametrize(
    ("place", "variables", "message"),
    [
        ("", {}, r"^the place of backups, '': it is neither a folder nor a bucket\. Name a folder, or s3://bucket/prefix\.$"),
        (" ", {}, "it is neither a folder nor a bucket"),
        ("S3://backups/x", {}, "it is neither a folder nor a bucket"),
        ("s3:/backups/x", {}, "it is neither a folder nor a bucket"),
        ("https://example.com/x", {}, "it is neither a folder nor a bucket"),
        ("~no-such-user-here/x", {}, "this machine has no such user"),
        ("s3://", {}, r"^s3://: it names no bucket\. Name one"),
        ("s3://b", {"AWS_ACCESS_KEY_ID": ""}, "it needs AWS_ACCESS_KEY_ID in the environment"),
        (
            "s3://b",
            {"AWS_SECRET_ACCESS_KEY": "planted-key\n"},
            "no key has blanks, line breaks or letters like those in AWS_SECRET_ACCESS_KEY",
        ),
        ("s3://b", {"AWS_SECRET_ACCESS_KEY": "planted-köy", "AWS_REGION": "a b"}, "like those in AWS_SECRET_ACCESS_KEY and AWS_REGION"),
        ("s3://b", {"AWS_ENDPOINT_URL": "http://[planted"}, "AWS_ENDPOINT_URL is not an address"),
        ("s3://b", {"AWS_ENDPOINT_URL": "127.0.0.1:9000"}, "AWS_ENDPOINT_URL is not an address"),
    ],
)
def test_a_place_that_is_none_is_one_line(place: str, variables: dict[str, str], message: str) -> None:
    """An unset variable in ``--to "$PLACE"`` must not fill the present folder with rows of production."""
    key = {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET}
    with pytest.raises(DataError, match=message) as refused:
        store_at(place, key | variables)
    assert "planted" not in str(refused.value)


def test_a_backup_of_a_bucket_is_never_in_memory_as_a_whole(bucket: BucketServer, tmp_path: Path) -> None:
    bucket.files["a.gz"] = bytes(40_000_000)
    store = store_at("s3://backups", environ(bucket))
    store.names()
    tracemalloc.start()
    try:
        assert store.get("a.gz", tmp_path).stat().st_size == 40_000_000
        assert tracemalloc.get_traced_memory()[1] < 8_000_000
    finally:
        tracemalloc.stop()


def test_a_backup_that_the_bucket_cuts_off_is_one_line(bucket: BucketServer, tmp_path: Path) -> None:
    bucket.files["a.gz"], bucket.claimed = bytes(1000), 2000
    with pytest.raises(DataError, match=r"^s3://backups/a\.gz: the bucket does not answer \(RemoteProtocolError\)"):
        store_at("s3://backups", environ(bucket)).get("a.gz", tmp_path)


def test_what_the_system_refuses_of_a_folder_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root may do everything, so the system's answer is made up."""

    def denied(*_: object, **__: object) -> NoReturn:
        raise PermissionError(errno.EACCES, "Permission denied")

    store = store_at(str(tmp_path), {})
    monkeypatch.setattr(Path, "iterdir", denied)
    monkeypatch.setattr(Path, "unlink", denied)
    with pytest.raises(DataError, match=r"it cannot be read: Permission denied\. Name the folder of the backups"):
        store.names()
    with pytest.raises(DataError, match=r"x\.gz: it cannot be removed: Permission denied"):
        store.remove("x.gz")


def test_a_file_in_place_of_the_folder_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(DataError, match="file: it cannot be read: Not a directory"):
        store_at(str(tmp_path / "file"), {}).names()


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "b.gz").write_text("x")
    with pytest.raises(DataError, match="it cannot be written"):
        store_at(str(tmp_path / "file"), {}).put(tmp_path / "b.gz")
    with pytest.raises(DataError, match="it cannot be read"):
        store_at(str(tmp_path), {}).get("none.gz", tmp_path)
