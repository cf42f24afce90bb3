"""Asking a web server for the rest of a file, with every answer it may give sorted into three kinds.

An answer is usable, or it failed in a way that another attempt may mend (TransientError), or this address will
not give the file (RefusedError). Only http and https are spoken, certificates are checked, and a redirect
never leads from https to http.
"""

import re
import string
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException, HTTPResponse, InvalidURL
from ssl import SSLCertVerificationError
from urllib.error import URLError
from urllib.parse import quote, urljoin, urlsplit
from urllib.request import (
    HTTPHandler,
    HTTPSHandler,
    OpenerDirector,
    ProxyHandler,
    Request,
    UnknownHandler,
)

_REDIRECTS = (301, 302, 303, 307, 308)
_MAX_REDIRECTS = 5
_BUSY = (408, 429, 500, 502, 503, 504)  # the same request may succeed later
_CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,18})-[0-9]{1,18}/([0-9]{1,18}|\*)")


class TransientError(Exception):
    """The attempt failed; another one may succeed."""


class CannotResumeError(TransientError):
    """The server does not send the rest of the file as asked; the next attempt has to ask for all of it."""


class RefusedError(Exception):
    """This address does not give the file; asking it again is of no use."""


class Answer:
    """A file's content from byte `start` on, as it arrives. `bounded`: the server said how much will come."""

    def __init__(self, response: HTTPResponse, start: int, timeout: float) -> None:
        self.start = start
        self.bounded = response.length is not None
        self._response = response
        self._timeout = timeout

    def read(self, count: int) -> bytes:
        """Whatever has arrived, 1 to `count` bytes; none at the end. Raises TransientError."""
        with _sorted_errors(self._timeout):
            return self._response.read1(count)


@contextmanager
def asked(url: str, start: int, size: int, timeout: float) -> Iterator[Answer]:
    """The answer to a request for bytes `start` to `size` of the file at `url`.

    It starts at `start`, or at 0 where the server knows no ranges. timeout: the longest silence, in seconds.
    Raises TransientError and RefusedError, also where the server announces another size.
    """
    headers = {"User-Agent": "softmaxclf", "Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
    with _sorted_errors(timeout):
        response = _opened(url, headers, timeout)
    try:
        yield Answer(response, _checked_start(response, start, size), timeout)
    finally:
        response.close()


def redirect_target(url: str, location: str | None) -> str:
    """Where `url` is redirected to. Raises RefusedError for no address, another protocol, https to http."""
    if not location:
        raise RefusedError("redirects to nowhere")
    target = urljoin(url, quote(location, encoding="iso-8859-1", safe=string.punctuation))
    old, new = urlsplit(url).scheme, urlsplit(target).scheme
    if new not in ("http", "https"):
        raise RefusedError(f"redirects to the protocol {new}")
    if old == "https" and new == "http":
        raise RefusedError("redirects from https to plain http, which is not followed")
    return target


def _opened(url: str, headers: dict[str, str], timeout: float) -> HTTPResponse:
    opener = OpenerDirector()  # urllib's own would also open ftp:, file: and data: addresses
    for handler in (ProxyHandler(), HTTPHandler(), HTTPSHandler(), UnknownHandler()):
        opener.add_handler(handler)
    for _ in range(_MAX_REDIRECTS + 1):
        response: HTTPResponse = opener.open(Request(url, headers=headers), timeout=timeout)
        if response.status not in _REDIRECTS:
            return response
        response.close()
        url = redirect_target(url, response.headers.get("Location"))
    raise RefusedError(f"redirects more than {_MAX_REDIRECTS} times")


def _checked_start(response: HTTPResponse, start: int, size: int) -> int:
    """The offset of the first byte that will come. Raises where the answer is not the asked file's rest."""
    status = response.status
    if status in _BUSY:
        raise TransientError(f"answered with status {status}")
    if start and status == 416:
        raise CannotResumeError("does not know that part of the file")
    if status == 206 and start:
        _check_range(response.headers.get("Content-Range", ""), start, size)
    elif status == 200:
        start = 0
    else:
        raise RefusedError(f"answered with status {status}")
    length = response.length
    if length is not None and (length > size - start or (length < size and status == 200)):
        raise RefusedError(f"offers {length:,} bytes where {size - start:,} were expected")
    return start


def _check_range(content_range: str, start: int, size: int) -> None:
    found = _CONTENT_RANGE.fullmatch(content_range)
    if not found or int(found[1]) != start or found[2] not in (str(size), "*"):
        raise CannotResumeError("answered with another part of the file")


@contextmanager
def _sorted_errors(timeout: float) -> Iterator[None]:
    """Turn what the network and a server's answer can raise into the two errors of this module.

    ValueError: a redirect's host that is no host name raises UnicodeError.
    """
    try:
        yield
    except (OSError, HTTPException, ValueError) as error:
        cause = error.reason if isinstance(error, URLError) else error
        if isinstance(cause, TimeoutError):
            raise TransientError(f"no answer within {timeout:g} s") from error
        if isinstance(cause, SSLCertVerificationError):
            raise RefusedError("its certificate cannot be verified") from error
        if isinstance(cause, ValueError | InvalidURL | str):
            raise RefusedError("is no address that can be asked") from error
        # A broken answer's own bytes stay out of the message: they may hold anything.
        reason = cause.strerror if isinstance(cause, OSError) else None
        raise TransientError(reason or f"the connection broke ({type(cause).__name__})") from error
