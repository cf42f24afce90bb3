"""Fetching the official CIFAR archives: resumed where it was cut, checked by hash, then moved into place.

The archive grows as `<name>.part` beside its final place and gets its name only when its SHA-256 is the
official one, so the final name never holds anything else. No server is trusted: its answer is cut at the
official size, and what it sent counts only by its hash.
"""

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from softmaxclf.datasets.dataset import Progress
from softmaxclf.datasets.digests import PIECE, digest
from softmaxclf.datasets.http_range import Answer, CannotResumeError, RefusedError, TransientError, asked
from softmaxclf.datasets.official import CITATION, MIRRORS, OfficialFile, official_file
from softmaxclf.datasets.part_file import PartFile, locked, part_file
from softmaxclf.errors import ConfigError, DataError
from softmaxclf.files import cannot_write

Log = Callable[[str], None]


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


def download_source(
    source: str,
    directory: Path,
    *,
    form: str = "python",
    progress: Progress | None = None,
    log: Log | None = None,
    mirrors: Sequence[str] = MIRRORS,
) -> Path:
    """Where the official archive of `source` (cifar10, cifar100) lies in `directory`, fetched if need be.

    form: python or binary. progress: called with (bytes done, bytes in total), and with both equal once, when
    the archive is in place. log: takes lines for people. mirrors: addresses of folders that offer the archive,
    asked in turn; any will do, since only the hash is trusted.
    Raises DataError (no server gives it, a wrong hash, another file or process in its place), OutputError (the
    folder cannot be written) and ConfigError (a mirror that is no web address). After a failure or an
    interruption the same call continues where this one ended.
    """
    path = download(official_file(source, form), directory, progress=progress, log=log, mirrors=mirrors)
    if log:
        log(CITATION)
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
    """Where the file described by `entry` lies in `directory`; `download_source` says the rest."""
    addresses = [_address(mirror, entry.name) for mirror in mirrors]
    final = directory / entry.name
    job = _Download(entry, final, progress, log or _ignored, patience or Patience())
    if job.is_present():
        return final
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(directory, error) from error
    with locked(final):
        if not job.is_present():  # another process may have ended while we came here
            job.run(addresses)
    return final


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


def _ignored(_line: str) -> None:
    pass


@dataclass(frozen=True)
class _Download:
    """One file to be fetched, and whom to tell."""

    entry: OfficialFile
    final: Path
    progress: Progress | None
    log: Log
    patience: Patience

    def is_present(self) -> bool:
        """Whether the official file is in place already. Raises DataError where something else is."""
        if not os.path.lexists(self.final):
            return False
        found = digest(self.final, "sha256") if self.final.is_file() else "no regular file"
        if found != self.entry.sha256:
            raise DataError(
                f"{self.final}: expected the official file with sha256 {self.entry.sha256}, found {found}; "
                "move it away to fetch the official one"
            )
        self.log(f"{self.final} is there already and is the official file (sha256 verified)")
        return True

    def run(self, addresses: Sequence[str]) -> None:
        """Fetch the file from the first address that gives it, check it and move it into place."""
        with part_file(self.final) as part:
            part.reread(self.entry.size, self._report)
            if part.size == self.entry.size and part.sha256() != self.entry.sha256:
                self.log(f"{part.path}: whole, but with a wrong hash; starting again")
                part.restart()
            if part.size < self.entry.size:
                self._fetch(part, addresses)
            self._install(part)

    def _fetch(self, part: PartFile, addresses: Sequence[str]) -> None:
        failures = []
        for address in addresses:
            failure = self._fetch_from(address, part)
            if failure is None:
                return
            failures.append(f"{address} {failure}")
            self.log(failures[-1])
        raise DataError(
            f"{self.final}: expected {self.entry.size:,} bytes from the network, found {part.size:,}: "
            f"{'; '.join(failures) or 'no address to ask'}; "
            "check the connection and give the same command again, which continues from there"
        )

    def _fetch_from(self, address: str, part: PartFile) -> str | None:
        """None when `part` is complete, else why `address` did not complete it."""
        failure, resume = "was not asked", True
        for attempt in range(self.patience.attempts):
            if attempt and resume:
                self.patience.sleep(self.patience.pause * 2 ** (attempt - 1))
            try:
                self._attempt(address, part, part.size if resume else 0)
                return None
            except RefusedError as error:
                return str(error)
            except TransientError as error:
                if part.size == self.entry.size:  # only the end of the answer was missing
                    return None
                failure = str(error)
                resume = not isinstance(error, CannotResumeError)
        return failure

    def _attempt(self, address: str, part: PartFile, start: int) -> None:
        with asked(address, start, self.entry.size, self.patience.timeout) as answer:
            if part.size > answer.start:
                self.log(f"{address} sends the file from its start only")
                part.restart()
            kept = f", resuming at {part.size:,} bytes" if part.size else ""
            self.log(f"fetching {address} ({self.entry.size:,} bytes{kept})")
            self._receive(answer, part)

    def _receive(self, answer: Answer, part: PartFile) -> None:
        while (left := self.entry.size - part.size) or not answer.bounded:
            # One byte more than is left shows a server that goes on; of it nothing is written.
            piece = answer.read(min(PIECE, left + (not answer.bounded)))
            if len(piece) > left:
                part.restart()
                raise RefusedError(f"sends more than the {self.entry.size:,} bytes of the official file")
            if not piece and left:
                raise TransientError(f"broke off after {part.size:,} bytes")
            if not piece:
                return
            part.append(piece)
            self._report(part.size)

    def _install(self, part: PartFile) -> None:
        found = part.sha256()
        if found != self.entry.sha256:
            part.restart()
            raise DataError(
                f"{self.final}: expected sha256 {self.entry.sha256}, found {found} in what was fetched, which is "
                "deleted; give the same command again, or name another mirror"
            )
        part.move_to(self.final)
        self.log(f"{self.final}: complete, sha256 verified")
        if self.progress:
            self.progress(self.entry.size, self.entry.size)

    def _report(self, done: int) -> None:
        if self.progress and done < self.entry.size:
            self.progress(done, self.entry.size)
