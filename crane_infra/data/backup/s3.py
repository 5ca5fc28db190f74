"""A bucket that speaks S3 (Amazon's, R2, MinIO), over plain HTTP requests that are signed with version 4 of Amazon's signatures."""

import hashlib
import hmac
import html
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from urllib.parse import quote, urlsplit

import httpx

from crane_infra.data.disk import disk_faults
from crane_infra.errors import DataError
from crane_infra.tls import trusted

_NOTHING = hashlib.sha256(b"").hexdigest()
_SECONDS = 300.0
_KEYS = re.compile(r"<Key>(.*?)</Key>", re.DOTALL)
_NEXT = re.compile(r"<NextContinuationToken>(.*?)</NextContinuationToken>", re.DOTALL)
_IN_HEADERS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_REGION", "AWS_DEFAULT_REGION")
_CODE = re.compile(r"<Code>(\w+)</Code>")


@dataclass(frozen=True)
class Credentials:
    """A key for a bucket, and the region that signatures name."""

    key: str
    secret: str = field(repr=False)
    region: str
    session: str = field(default="", repr=False)


@dataclass(frozen=True)
class Signable:
    """A request to be signed. ``query`` is in order; names of ``headers`` are in lower case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    payload: str


def signed_headers(request: Signable, credentials: Credentials, now: datetime) -> dict[str, str]:
    """The headers of a request with its signature."""
    time = f"{now.astimezone(UTC):%Y%m%dT%H%M%SZ}"
    headers = {**request.headers, "x-amz-date": time, "x-amz-content-sha256": request.payload}
    if credentials.session:
        headers["x-amz-security-token"] = credentials.session
    names = ";".join(sorted(headers))
    listed = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
    canonical = "\n".join((request.method, request.path, query_of(request.query), listed, names, request.payload))
    scope = f"{time[:8]}/{credentials.region}/s3/aws4_request"
    to_sign = "\n".join(("AWS4-HMAC-SHA256", time, scope, hashlib.sha256(canonical.encode()).hexdigest()))
    key = f"AWS4{credentials.secret}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.digest(key, to_sign.encode(), "sha256").hex()
    headers["authorization"] = f"AWS4-HMAC-SHA256 Credential={credentials.key}/{scope},SignedHeaders={names},Signature={signature}"
    return headers


def query_of(query: Mapping[str, str]) -> str:
    """The query of a URL as a signature counts it."""
    return "&".join(f"{quote(name, safe='')}={quote(query[name], safe='')}" for name in sorted(query))


@dataclass(frozen=True)
class Bucket:
    """The files of a bucket whose keys begin with a prefix."""

    endpoint: str
    name: str
    prefix: str
    credentials: Credentials

    @classmethod
    def of(cls, place: str, environ: Mapping[str, str]) -> "Bucket":
        """The bucket at ``bucket/prefix``. Raises DataError where a credential is missing."""
        missing = [name for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY") if not environ.get(name)]
        if not place.partition("/")[0]:
            raise DataError(f"s3://{place}", "it names no bucket", "Name one: s3://bucket/prefix")
        if missing:
            what = f"it needs {' and '.join(missing)} in the environment"
            raise DataError(f"s3://{place}", what, "Set the key of the bucket; AWS_ENDPOINT_URL names a bucket that is not Amazon's")
        if odd := [name for name in _IN_HEADERS if not re.fullmatch(r"[!-~]*", environ.get(name, ""))]:
            what = f"no key has blanks, line breaks or letters like those in {' and '.join(odd)}"
            raise DataError(f"s3://{place}", what, "Set it again, without them")
        region = environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION") or "us-east-1"
        endpoint = environ.get("AWS_ENDPOINT_URL_S3") or environ.get("AWS_ENDPOINT_URL") or f"https://s3.{region}.amazonaws.com"
        if not re.fullmatch(r"https?://[\w.-]+(:\d{1,5})?(/[\w./-]*)?", endpoint, re.ASCII):
            raise DataError(f"s3://{place}", "AWS_ENDPOINT_URL is not an address", "It is like https://host or http://127.0.0.1:9000")
        bucket, _, prefix = place.partition("/")
        session = environ.get("AWS_SESSION_TOKEN", "")
        key = Credentials(environ["AWS_ACCESS_KEY_ID"], environ["AWS_SECRET_ACCESS_KEY"], region, session)
        return cls(endpoint.rstrip("/"), bucket, f"{prefix.strip('/')}/".removeprefix("/"), key)

    @property
    def place(self) -> str:
        """The bucket and the prefix."""
        return f"s3://{self.name}/{self.prefix}"

    def prepare(self) -> None:
        """Ask for the names of its files: a wrong key or name is refused before anything is read."""
        self.names()

    def names(self) -> list[str]:
        """The names of its files, without the prefix."""
        names, token = list[str](), ""
        while True:
            query = {"list-type": "2", "prefix": self.prefix, **({"continuation-token": token} if token else {})}
            text = self._call("GET", "", query=query).text
            names += [html.unescape(key).removeprefix(self.prefix) for key in _KEYS.findall(text)]
            if not (following := _NEXT.search(text)):
                return sorted(name for name in names if name and "/" not in name)
            token = html.unescape(following[1])

    def put(self, file: Path) -> None:
        """Upload a file under its name; the bucket compares its bytes with their digest."""
        with file.open("rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
        self._call("PUT", file.name, file=file, payload=digest)

    def get(self, name: str, into: Path) -> Path:
        """Download a file into a folder."""
        path = into / name
        path.touch(mode=0o600)
        self._call("GET", name, into=path)
        return path

    def remove(self, name: str) -> None:
        """Remove a file."""
        self._call("DELETE", name)

    def _call(
        self,
        method: str,
        name: str,
        *,
        query: Mapping[str, str] | None = None,
        file: Path | None = None,
        payload: str = _NOTHING,
        into: Path | None = None,
    ) -> httpx.Response:
        """One request. A backup may be larger than memory, so ``file`` is sent from the disk, and the answer goes to the file ``into``."""
        key = f"/{self.prefix}{name}" if name else ""
        path = quote(f"{urlsplit(self.endpoint).path}/{self.name}{key}")
        url = f"{self.endpoint.removesuffix(urlsplit(self.endpoint).path)}{path}" + (f"?{query_of(query)}" if query else "")
        request = Signable(method, path, query or {}, {"host": urlsplit(self.endpoint).netloc}, payload)
        headers = signed_headers(request, self.credentials, datetime.now(UTC))
        if file:
            headers["content-length"] = str(file.stat().st_size)
        where = f"{self.place}{name}"
        try:
            with (
                httpx.Client(timeout=_SECONDS, verify=trusted()) as http,
                http.stream(method, url, headers=headers, content=_chunks(file) if file else None) as reply,
            ):
                if into and reply.status_code < HTTPStatus.BAD_REQUEST:
                    _write(reply.iter_raw(), into)
                else:
                    reply.read()
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise DataError(where, f"the bucket does not answer ({type(error).__name__})", "Check its address, then try again") from None
        if reply.status_code >= HTTPStatus.BAD_REQUEST:
            code = _CODE.search(reply.text)
            todo = "Check the name of the bucket and what its key may do"
            raise DataError(where, f"the bucket refused it: status {reply.status_code}{f', {code[1]}' if code else ''}", todo)
        return reply


def _write(chunks: Iterator[bytes], path: Path) -> None:
    with disk_faults(path.parent), path.open("wb") as file:
        for chunk in chunks:
            file.write(chunk)


def _chunks(file: Path) -> Iterator[bytes]:
    with file.open("rb") as content:
        while chunk := content.read(1 << 20):
            yield chunk
