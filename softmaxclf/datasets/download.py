"""Fetching the official CIFAR archives: resumed where it was cut, checked by hash, then moved into place.

The archive grows as `<name>.part` beside its final place and gets its name only when its SHA-256 is the
official one, so the final name never holds anything else. No server is trusted: its answer is cut at the
official size, and what it sent counts only by its hash. A redirect never leads from https to http.
"""

import hashlib
import os
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse, InvalidURL
from io import FileIO
from pathlib import Path
from ssl import SSLCertVerificationError
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from softmaxclf.datasets.cifar.official import CITATION, MIRRORS, OfficialFile, official_file, part_path
from softmaxclf.datasets.dataset import Progress
from softmaxclf.datasets.inputs import unreadable
from softmaxclf.errors import ConfigError, DataError
from softmaxclf.files import PIECE, cannot_write, digest_of_file, own_file
from softmaxclf.locks import held

Log = Callable[[str], None]
_BUSY = (408, 429, 500, 502, 503, 504)  # the same request may succeed later
_CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,18})-[0-9]{1,18}/([0-9]{1,18}|\*)")


@dataclass(frozen=True)
class Patience:
    """How long to wait for a server, and how often to ask it.

    timeout: the longest silence, in seconds. attempts: per address. pause: seconds before the second attempt,
    doubled before each further one. sleep: what waits.
    """

    timeout: float = 30.0
    attempts: int = 5
    pause: float = 1.0
    sleep: Callable[[float], None] = time.sleep


def download_source(source: str, directory: Path, *, form: str = "python", **options: Any) -> Path:
    """Where the official archive of `source` (cifar10, cifar100) lies in `directory`, fetched if need be.

    form: python or binary. options: those of `download`, which says the rest.
    """
    path = download(official_file(source, form), directory, **options)
    options.get("log", _ignored)(CITATION)
    return path


def download(
    entry: OfficialFile,
    directory: Path,
    *,
    progress: Progress | None = None,
    log: Log | None = None,
    mirrors: Sequence[str] = MIRRORS,
    patience: Patience | None = None,
) -> Path:
    """Where the file described by `entry` lies in `directory`, fetched if need be.

    progress: called with (bytes done, bytes in total), and with both equal once, when the file is in place.
    log: takes lines for people. mirrors: addresses of folders that offer the file, asked in turn; any will do,
    since only the hash is trusted.
    Raises DataError (no server gives it, a wrong hash, another file or process in its place), OutputError (the
    folder cannot be written) and ConfigError (a mirror that is no web address). After a failure or an
    interruption the same call continues where this one ended.
    """
    addresses = [_address(mirror, entry.name) for mirror in mirrors]
    final, log = directory / entry.name, log or _ignored
    busy = DataError(
        f"{final}: expected to download it alone, found another process at it; "
        "wait until that one has ended, then give the same command again"
    )
    if _is_present(final, entry, log):
        return final
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with held(final.with_name(f"{final.name}.lock"), busy):
            if not _is_present(final, entry, log):  # another process may have ended while we came here
                _Download(entry, final, progress, log, patience or Patience()).run(addresses)
    except OSError as error:  # those of the network have become failures
        raise cannot_write(Path(error.filename or part_path(final)), error) from error
    return final


def _ignored(line: str) -> None:
    pass


def _address(mirror: str, name: str) -> str:
    """The file `name` at `mirror`. Raises ConfigError unless that is the web address of a folder."""
    try:
        parts = urlsplit(mirror)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.username is None
    except ValueError:
        usable = False
    if not usable or not mirror.isascii() or not mirror.isprintable() or set(mirror) & set(" ?#"):
        raise ConfigError(
            f"mirror: expected a folder's address such as {MIRRORS[0]}, found {ascii(mirror)[:100]}; correct it"
        )
    return f"{mirror.rstrip('/')}/{name}"


def _is_present(final: Path, entry: OfficialFile, log: Log) -> bool:
    """Whether the official file is in place already. Raises DataError where something else is."""
    if not os.path.lexists(final):
        return False
    try:
        found = digest_of_file(final) if final.is_file() else "no regular file"
    except OSError as error:
        raise unreadable(final, error) from error
    if found != entry.sha256:
        raise DataError(
            f"{final}: expected the official file with sha256 {entry.sha256}, found {found}; "
            "move it away to fetch the official one"
        )
    log(f"{final} is there already and is the official file (sha256 verified)")
    return True


class FailedError(Exception):
    """Why an address did not give the file. again: another attempt may succeed; restart: but not with this part."""

    def __init__(self, why: str, *, again: bool = False, restart: bool = False) -> None:
        super().__init__(why)
        self.again, self.restart = again, restart


class _Download:
    """One file that grows in its part. Raises OSError where that cannot be written."""

    def __init__(
        self, entry: OfficialFile, final: Path, progress: Progress | None, log: Log, patience: Patience
    ) -> None:
        self.entry, self.final, self.part = entry, final, part_path(final)
        self.progress, self.log, self.patience = progress, log, patience
        self.hasher, self.done = hashlib.sha256(), 0  # of the part's content

    def run(self, addresses: Sequence[str]) -> None:
        """Fetch the file from the first address that gives it, check it and move it into place.

        The part is written without a buffer and stays, unless it is empty, however the program ends.
        """
        with os.fdopen(own_file(self.part), "r+b", buffering=0) as file:
            try:
                self._take_over(file)
                if self.done < self.entry.size:
                    self._fetch(file, addresses)
                self._check(file)
                os.fsync(file.fileno())
            finally:
                if not self.done:
                    self.part.unlink(missing_ok=True)
        self.part.replace(self.final)
        self.log(f"{self.final}: complete, sha256 verified")
        if self.progress:
            self.progress(self.entry.size, self.entry.size)

    def _take_over(self, file: FileIO) -> None:
        """Count what an earlier download left, unless it is more than the file."""
        if os.fstat(file.fileno()).st_size > self.entry.size:
            self._restart(file)
        while piece := file.read(PIECE):
            self._count(piece)

    def _count(self, piece: bytes | memoryview) -> None:
        self.hasher.update(piece)
        self.done += len(piece)
        if self.progress and self.done < self.entry.size:
            self.progress(self.done, self.entry.size)

    def _restart(self, file: FileIO) -> None:
        file.seek(0)
        file.truncate()
        self.hasher, self.done = hashlib.sha256(), 0

    def _check(self, file: FileIO) -> None:
        found = self.hasher.hexdigest()
        if found != self.entry.sha256:
            self._restart(file)
            raise DataError(
                f"{self.final}: expected sha256 {self.entry.sha256}, found {found} in what was fetched, which is "
                "deleted; give the same command again, or name another mirror"
            )

    def _fetch(self, file: FileIO, addresses: Sequence[str]) -> None:
        failures = []
        for address in addresses:
            failure = self._fetch_from(address, file)
            if failure is None:
                return
            failures.append(f"{address} {failure}")
            self.log(failures[-1])
        raise DataError(
            f"{self.final}: expected {self.entry.size:,} bytes from the network, found {self.done:,}: "
            f"{'; '.join(failures) or 'no address to ask'}; "
            "check the connection and give the same command again, which continues from there"
        )

    def _fetch_from(self, address: str, file: FileIO) -> FailedError | None:
        """None when the part is complete, else why `address` did not complete it."""
        for attempt in range(self.patience.attempts):
            if attempt:
                self.patience.sleep(self.patience.pause * 2 ** (attempt - 1))
            try:
                self._attempt(address, file)
                return None
            except FailedError as error:
                failure = error
            if failure.restart:
                self._restart(file)
            if self.done == self.entry.size:  # only the end of the answer was missing
                return None
            if not failure.again:
                break
        return failure

    def _attempt(self, address: str, file: FileIO) -> None:
        size = self.entry.size
        with closing(_asked(address, self.done, self.patience.timeout)) as response:
            if self.done > _checked_start(response, self.done, size):
                self.log(f"{address} sends the file from its start only")
                self._restart(file)
            kept = f", resuming at {self.done:,} bytes" if self.done else ""
            self.log(f"fetching {address} ({size:,} bytes{kept})")
            # One byte more than is left shows a server that goes on; of it nothing is written.
            while piece := _received(response, min(PIECE, size - self.done + 1), self.patience.timeout):
                if len(piece) > size - self.done:
                    raise FailedError(
                        f"sends more than the {size:,} bytes of the official file", restart=True
                    )
                left = memoryview(piece)
                while left:
                    written = file.write(left)
                    self._count(left[:written])
                    left = left[written:]
        if self.done < size:
            raise FailedError(f"broke off after {self.done:,} bytes", again=True)


class WebRedirects(HTTPRedirectHandler):
    """Follows redirects on the web, but never a step down from https to http."""

    def http_error_302(self, req: Request, fp: Any, code: int, msg: str, headers: Any) -> Any:
        """The answer at the place that the answer `fp` redirects to."""
        fp.close()  # urllib would read all of it into memory, and it may be endless
        return super().http_error_302(req, fp, code, msg, headers)

    http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302

    def redirect_request(
        self, req: Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> Request | None:
        """The request for `newurl`. Raises FailedError."""
        new = urlsplit(newurl).scheme
        if new not in ("http", "https"):
            raise FailedError(f"redirects to the protocol {new}")
        if req.type == "https" and new == "http":
            raise FailedError("redirects from https to plain http, which is not followed")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _asked(address: str, start: int, timeout: float) -> HTTPResponse:
    """The answer to a request for the bytes from `start` on. Raises FailedError."""
    headers = {"User-Agent": "softmaxclf", "Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
    with _network(timeout):
        response: HTTPResponse = build_opener(WebRedirects).open(
            Request(address, headers=headers), timeout=timeout
        )
    return response


def _checked_start(response: HTTPResponse, start: int, size: int) -> int:
    """The offset of the first byte that will come. Raises FailedError for anything but the asked file's rest."""
    if response.status == 206 and start:
        found = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
        if not found or int(found[1]) != start or found[2] not in (str(size), "*"):
            raise FailedError("answered with another part of the file", again=True, restart=True)
    elif response.status == 200:
        start = 0
    else:
        raise FailedError(f"answered with status {response.status}")
    length = response.length
    if length is not None and (length > size - start or (length < size and response.status == 200)):
        raise FailedError(f"offers {length:,} bytes where {size - start:,} were expected")
    return start


def _received(response: HTTPResponse, count: int, timeout: float) -> bytes:
    """Whatever has arrived, 1 to `count` bytes; none at the end. Raises FailedError."""
    with _network(timeout):
        return response.read1(count)


@contextmanager
def _network(timeout: float) -> Iterator[None]:
    """Turn what the network and a server's answer can raise into a FailedError."""
    try:
        yield
    except HTTPError as error:
        error.close()
        no_part, redirect = error.code == 416, error.code in (301, 302, 303, 307, 308)
        raise FailedError(
            f"answered with status {error.code}{', a redirect that cannot be followed' if redirect else ''}",
            again=no_part or error.code in _BUSY,
            restart=no_part,
        ) from error
    except (OSError, HTTPException, ValueError) as error:
        cause = error.reason if isinstance(error, URLError) else error
        if isinstance(cause, TimeoutError):
            raise FailedError(f"no answer within {timeout:g} s", again=True) from error
        if isinstance(cause, SSLCertVerificationError):
            raise FailedError("its certificate cannot be verified") from error
        if isinstance(cause, ValueError | InvalidURL | str):  # a host that is no name raises UnicodeError
            raise FailedError("is no address that can be asked") from error
        # A broken answer's own bytes stay out of the message: they may hold anything.
        reason = cause.strerror if isinstance(cause, OSError) else None
        raise FailedError(reason or f"the connection broke ({type(cause).__name__})", again=True) from error
