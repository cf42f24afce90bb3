"""Fetching published files: resumed where it was cut, checked by hash, then moved into place.

A file grows as `<name>.part` beside its final place and gets its name only when its hash is the
official one, so the final name never holds anything else. No server is trusted: its answer is cut at the
official size, what it sent counts only by its hash, and one that trickles, headers or body, is given up. A redirect
never leads from https to http.
"""

import hashlib
import io
import os
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from functools import partial
from http.client import HTTPException, HTTPResponse, InvalidURL
from io import FileIO
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPHandler, HTTPRedirectHandler, HTTPSHandler, Request, build_opener

from softmaxclf.datasets.cifar.layouts import CITATION, LAYOUTS, MIRRORS
from softmaxclf.datasets.dataset import Log, Progress, ignored
from softmaxclf.datasets.mnist import MNISTS
from softmaxclf.datasets.published import Published, part_path
from softmaxclf.errors import ConfigError, DataError
from softmaxclf.files import cannot_write, digest_of_file, own_file
from softmaxclf.locks import held

_PIECE = 1 << 18  # bytes that are read at a time
_LEAST_RATE, _WHILE = 1000, 60.0  # bytes a second that a server must send, over so many seconds
_clock = time.monotonic
_BUSY = (408, 429, 500, 502, 503, 504)  # the same request may succeed later
_CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,18})-[0-9]{1,18}/([0-9]{1,18}|\*)")
# A folder on the web: a host, perhaps a port, perhaps a path without question mark and hash sign.
_MIRROR = re.compile(r"https?://([A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\])(:[0-9]{1,5})?(/[!\"$->@-~]*)?")


def download_source(
    source: str,
    directory: Path,
    *,
    form: str = "python",
    log: Log = ignored,
    mirrors: Sequence[str] = (),
    **options: Any,
) -> Path:
    """Where the official files of `source` (cifar10, cifar100, mnist, fashion-mnist) lie, fetched if need be.

    The archive of CIFAR lies in `directory`, the four files of MNIST in a folder there. form: of CIFAR, python or
    binary. mirrors: asked in place of the official addresses. options: those of `download`, which says the rest.
    Raises DataError for other sources.
    """
    layout = next((each for each in LAYOUTS if (each.source, each.form) == (source, form)), None)
    mnist = next((each for each in MNISTS if (each.source, "python") == (source, form)), None)
    if layout is not None:
        path = download(layout.published, directory, log=log, mirrors=mirrors or MIRRORS, **options)
        log(CITATION)
        return path
    if mnist is not None:
        for file in mnist.files:
            download(file, directory / source, log=log, mirrors=mirrors or mnist.mirrors, **options)
        log(mnist.citation)
        return directory / source
    known = ", ".join(
        [*(f"{each.source} ({each.form})" for each in LAYOUTS), *(each.source for each in MNISTS)]
    )
    raise DataError(f"{source} ({form}): expected data that can be downloaded: {known}; choose one of these")


def download(
    file: Published,
    directory: Path,
    *,
    progress: Progress = ignored,
    log: Log = ignored,
    mirrors: Sequence[str],
    timeout: float = 30.0,
    attempts: int = 5,
) -> Path:
    """Where `file` lies in `directory`, fetched if need be.

    progress: called with (bytes done, bytes in total), and with both equal once, when the file is in place.
    log: takes lines for people. mirrors: addresses of folders that offer the file, asked in turn; any will do,
    since only the hash is trusted. timeout: the longest silence of a server, in seconds. attempts: per address, in a
    row without any progress.
    Raises DataError (no server gives it, a wrong hash, another file or process in its place), OutputError (the
    folder cannot be written) and ConfigError (a mirror that is no web address). After a failure or an
    interruption the same call continues where this one ended.
    """
    addresses = [_address(mirror, file.name) for mirror in mirrors]
    final = directory / file.name
    busy = DataError(
        f"{final}: expected to download it alone, found another process at it; "
        "wait until that one has ended, then give the same command again"
    )
    if _is_present(final, file, log):
        return final
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with held(final.with_name(f"{final.name}.lock"), busy):
            if not _is_present(final, file, log):  # another process may have ended while we came here
                part = part_path(final)
                with os.fdopen(own_file(part), "r+b", buffering=0) as output:
                    try:
                        _Download(file, output, progress, log, timeout).run(addresses, attempts)
                    finally:
                        if not os.fstat(output.fileno()).st_size:
                            part.unlink(missing_ok=True)
                part.replace(final)
                log(f"{final}: complete, {file.algorithm} verified")
                progress(file.size, file.size)
    except _FailedError as error:
        raise DataError(f"{final}: {error}") from error
    except OSError as error:  # those of the network have become failures
        raise cannot_write(Path(error.filename or part_path(final)), error) from error
    return final


def _address(mirror: str, name: str) -> str:
    """The file `name` at `mirror`. Raises ConfigError unless that is the web address of a folder."""
    if not _MIRROR.fullmatch(mirror):
        raise ConfigError(
            f"mirror: expected a folder's address such as {MIRRORS[0]}, found {ascii(mirror)[:100]}; correct it"
        )
    return f"{mirror.rstrip('/')}/{name}"


def _is_present(final: Path, file: Published, log: Log) -> bool:
    """Whether the official file is in place already. Raises DataError where something else is."""
    if not os.path.lexists(final):
        return False
    try:
        found = digest_of_file(final, file.algorithm)
    except OSError as error:
        found = f"none: {error.strerror or error}"
    if found != file.digest:
        raise DataError(
            f"{final}: expected the official file with {file.algorithm} {file.digest}, found {found}; "
            "move it away to fetch the official one"
        )
    log(f"{final} is there already and is the official file ({file.algorithm} verified)")
    return True


class _FailedError(Exception):
    """Why the file could not be had."""


class _AgainError(_FailedError):
    """As before, but another attempt may succeed."""


class _Download:
    """One published file that grows in `file`, which is written without a buffer and holds its first `done` bytes.

    Raises _FailedError, and OSError where the file cannot be written; it stays as it is however the program ends.
    """

    def __init__(
        self, published: Published, file: FileIO, progress: Progress, log: Log, timeout: float
    ) -> None:
        self.published, self.file, self.timeout = published, file, timeout
        self.progress, self.log = progress, log
        self.hasher, self.done = self._new_hasher(), 0
        self.pace = _Pace()

    def run(self, addresses: Sequence[str], attempts: int) -> None:
        """Continue the file with what the first address gives that completes it, and check it."""
        if os.fstat(self.file.fileno()).st_size > self.published.size:
            self._restart()
        while piece := self.file.read(_PIECE):
            self._count(piece)
        failures: list[str] = []
        for address in addresses:
            if self.done < self.published.size and (failure := self._fetch(address, attempts)):
                failures.append(f"{address} {failure}")
                self.log(failures[-1])
        if self.done < self.published.size:
            raise _FailedError(
                f"expected {self.published.size:,} bytes from the network, found {self.done:,}: "
                f"{'; '.join(failures) or 'no address to ask'}; "
                "check the connection and give the same command again, which continues from there"
            )
        found = self.hasher.hexdigest()
        if found != self.published.digest:
            self._restart()
            raise _FailedError(
                f"expected {self.published.algorithm} {self.published.digest}, found {found} in what was fetched, "
                "which is deleted; give the same command again, or name another mirror"
            )
        os.fsync(self.file.fileno())

    def _new_hasher(self) -> Any:
        return hashlib.new(self.published.algorithm, usedforsecurity=False)

    def _count(self, piece: bytes) -> None:
        self.hasher.update(piece)
        self.done += len(piece)
        if self.done < self.published.size:
            self.progress(self.done, self.published.size)

    def _restart(self) -> None:
        self.file.seek(0)
        self.file.truncate()
        self.hasher, self.done = self._new_hasher(), 0

    def _fetch(self, address: str, attempts: int) -> _FailedError | None:
        """None when the file is complete, else why `address` did not complete it."""
        idle, furthest = 0, self.done
        self.pace.restart()
        while True:
            try:
                self._attempt(address)
            except _FailedError as error:
                failure = error
            if self.done == self.published.size:  # perhaps only the end of the answer was missing
                return None
            idle = 0 if self.done > furthest else idle + 1
            furthest = max(furthest, self.done)
            if idle:  # else the next attempt continues the while, so that resets do not hide a trickle
                self.pace.restart()
            if idle == attempts or not isinstance(failure, _AgainError):
                return failure
            time.sleep(2 ** max(0, idle - 1))

    def _attempt(self, address: str) -> None:
        size = self.published.size
        with closing(self._asked(address)) as response:
            self._check_start(response)
            kept = f", resuming at {self.done:,} bytes" if self.done else ""
            self.log(f"fetching {address} ({size:,} bytes{kept})")
            # One byte more than is left shows a server that goes on; of it nothing is written.
            while piece := self._received(response, min(_PIECE, size - self.done + 1)):
                if len(piece) > size - self.done:
                    self._restart()
                    raise _FailedError(f"sends more than the {size:,} bytes of the official file")
                while piece:  # a disk that gets full takes a part, then nothing
                    written = self.file.write(piece)
                    self._count(piece[:written])
                    piece = piece[written:]
        if self.done < size:
            raise _AgainError(f"broke off after {self.done:,} bytes")

    def _asked(self, address: str) -> HTTPResponse | HTTPError:
        """The answer, of whatever status, to a request for what is missing."""
        headers = {"User-Agent": "softmaxclf", "Accept-Encoding": "identity"}
        if self.done:
            headers["Range"] = f"bytes={self.done}-"
        with _network(self.timeout):
            try:
                request = Request(address, headers=headers)
                handlers = (_WebRedirects(), _PacedHttp(self.pace), _PacedHttps(self.pace))
                response: HTTPResponse = build_opener(*handlers).open(request, timeout=self.timeout)
            except HTTPError as error:
                return error
        return response

    def _received(self, response: HTTPResponse | HTTPError, count: int) -> bytes:
        """Whatever has arrived, 1 to `count` bytes; none at the end."""
        with _network(self.timeout):
            return response.read1(count)

    def _check_start(self, response: HTTPResponse | HTTPError) -> None:
        """See that what is missing comes; all is missing where the server does not give the rest alone."""
        status, size = response.status, self.published.size
        if self.done and status in (206, 416):
            found = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
            if not found or int(found[1]) != self.done or found[2] not in (str(size), "*"):
                self._restart()
                raise _AgainError("answered with another part of the file")
        elif status != 200:
            redirect = ", a redirect that cannot be followed" if status in (301, 302, 303, 307, 308) else ""
            failed = _AgainError if status in _BUSY else _FailedError
            raise failed(f"answered with status {status}{redirect}")
        elif isinstance(response, HTTPResponse) and response.length not in (None, size):
            raise _FailedError(f"offers {response.length:,} bytes where {size:,} were expected")
        elif self.done:
            self.log("the server sends the file from its start only")
            self._restart()


class _Pace:
    """Counts what arrives, of all requests since `restart`. Raises _FailedError where that is too little."""

    def restart(self) -> None:
        """Begin a new while."""
        self._since, self._arrived = _clock(), 0

    def count(self, arrived: int) -> None:
        """So many bytes have arrived."""
        self._arrived += arrived
        if _clock() - self._since < _WHILE:
            return
        if self._arrived < _LEAST_RATE * _WHILE:
            raise _FailedError(f"sends less than {_LEAST_RATE:,} bytes a second, over {_WHILE:g} seconds")
        self.restart()


class _PacedSocket(io.RawIOBase):
    """What arrives at `raw`, counted."""

    def __init__(self, raw: Any, pace: _Pace) -> None:
        self._raw, self._pace = raw, pace

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        count: int | None = self._raw.readinto(buffer)
        self._pace.count(count or 0)
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


class _PacedResponse(HTTPResponse):
    """An answer whose headers and body are counted."""

    def __init__(self, pace: _Pace, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.fp = io.BufferedReader(_PacedSocket(self.fp.detach(), pace))


class _Paced:
    """Of a handler of urllib: counts what its connections give."""

    def __init__(self, pace: _Pace) -> None:
        super().__init__()
        self._pace = pace

    def do_open(self, http_class: Any, req: Request, **arguments: Any) -> Any:
        """The answer to the request."""

        def connected(*places: Any, **options: Any) -> Any:
            connection = http_class(*places, **options)
            connection.response_class = partial(_PacedResponse, self._pace)
            return connection

        return super().do_open(connected, req, **arguments)  # type: ignore[misc]


class _PacedHttp(_Paced, HTTPHandler):
    pass


class _PacedHttps(_Paced, HTTPSHandler):
    pass


class _WebRedirects(HTTPRedirectHandler):
    """Follows redirects on the web, but never a step down from https to http."""

    def http_error_302(self, req: Request, fp: Any, code: int, msg: str, headers: Any) -> Any:
        """The answer at the place that the answer `fp` redirects to."""
        fp.close()  # urllib would read all of it into memory, and it may be endless
        return super().http_error_302(req, fp, code, msg, headers)

    http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302

    def redirect_request(
        self, req: Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> Request | None:
        """The request for `newurl`. Raises _FailedError."""
        new = urlsplit(newurl).scheme
        if new not in ("https", req.type):
            raise _FailedError(f"redirects from {req.type} to {new}, which is not followed")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


@contextmanager
def _network(timeout: float) -> Iterator[None]:
    """Turn what the network and a server's answer can raise into a _FailedError."""
    try:
        yield
    except (OSError, HTTPException, ValueError) as error:
        cause = error.reason if isinstance(error, URLError) else error
        if isinstance(cause, TimeoutError):
            raise _AgainError(f"no answer within {timeout:g} s") from error
        # A broken answer's own bytes stay out of the message: they may hold anything.
        if isinstance(cause, OSError) and cause.strerror:
            raise _AgainError(cause.strerror) from error
        if isinstance(cause, ValueError | InvalidURL | str):  # a host that is no name raises UnicodeError
            raise _FailedError("is no address that can be asked") from error
        raise _AgainError(f"the connection broke ({type(cause).__name__})") from error
