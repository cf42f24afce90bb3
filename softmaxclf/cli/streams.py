"""The three standard streams, whatever the shell made of them: closed, full, or a pipe whose reader went away.

Notes on stderr are worth less than the work: what cannot be written there is dropped. The answer on stdout is the
work: where it cannot be written the command ends, with 141 where its reader has seen enough, as other tools do.
"""

import io
import os
import sys
from typing import Any, TextIO

from softmaxclf.errors import OutputError

READER_GONE = 141  # 128 + SIGPIPE


def prepare() -> None:
    """Replace sys.stdout and sys.stderr by streams that do so."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:  # closed: the next file to be opened would get its number, and what is meant for it
            os.open(os.devnull, os.O_WRONLY if number == 2 else os.O_RDONLY)
    sys.stdout = _text(sys.stdout, _Answers, 1)
    sys.stderr = _text(sys.stderr, _Notes, 2)


def _text(stream: TextIO | None, kind: type["_Stream"], number: int) -> TextIO:
    """`stream` again, or what takes the place of a closed one, with its writing done by `kind`."""
    if stream is None:
        raw: Any = io.FileIO(number, "w", closefd=False)
    else:
        raw = getattr(stream.buffer, "raw", stream.buffer)  # python -u has no buffer in between
    return io.TextIOWrapper(
        io.BufferedWriter(kind(raw)),
        encoding=getattr(stream, "encoding", "utf-8"),
        errors=getattr(stream, "errors", "backslashreplace"),
        line_buffering=number == 2 or raw.isatty(),
    )


class _Stream(io.RawIOBase):
    """Writes what `raw` takes; `failed` says what else becomes of it."""

    def __init__(self, raw: io.RawIOBase) -> None:
        self._raw, self._gone = raw, False

    def write(self, data: Any) -> int | None:
        try:
            return len(data) if self._gone else self._raw.write(data)
        except OSError as error:
            self._gone = True  # what is still in buffers is dropped
            self.failed(error)
            return len(data)

    def failed(self, error: OSError) -> None:
        """Say what a failure to write means."""
        raise NotImplementedError

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._raw.fileno()

    def isatty(self) -> bool:
        return self._raw.isatty()


class _Notes(_Stream):
    def failed(self, error: OSError) -> None:
        """Nothing is said: there is nowhere to say it."""


class _Answers(_Stream):
    def failed(self, error: OSError) -> None:
        """End the command: with OutputError, or silently where the reader went away."""
        if isinstance(error, BrokenPipeError):
            raise SystemExit(READER_GONE) from error
        raise OutputError(
            f"standard output: cannot be written: {error.strerror or error}; "
            "what was to be written into files is there; send the answer elsewhere"
        ) from error
