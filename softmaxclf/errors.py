"""Every error that a user can cause or meet, each with its exit code.

A message is one line: which file or place, what was expected, what was found, what to do next.
Anything else that escapes is a bug of ours and exits 1 with its traceback.
"""


def lacking(place: object, package: str, does: str, extra: str) -> str:
    """The one message for a library that an extra of this package brings, and that is not there."""
    return (
        f"{place}: expected {package}, which {does}, found none; pip install {package} (or this package with its "
        f"extra: softmaxclf[{extra}])"
    )


class SoftmaxclfError(Exception):
    """Base of all errors that softmaxclf explains itself; `exit_code` is what the command line returns."""

    exit_code = 2
    answered = False  # whether the command's answer was already given, of which this is a part


class ConfigError(SoftmaxclfError):
    """A configuration, option or argument is wrong. One message per problem, all found in one pass."""

    exit_code = 2

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class OutOfTimeError(ConfigError):
    """--max-time ended a run before it had anything to show."""


class DataError(SoftmaxclfError):
    """A data file is missing, broken or unsafe."""

    exit_code = 3


class ModelError(SoftmaxclfError):
    """A model file is missing, broken or unsafe."""

    exit_code = 3


class OutputError(SoftmaxclfError):
    """An output could not be written (read-only folder, full disk, a folder where a file belongs)."""

    exit_code = 2


class EngineError(SoftmaxclfError):
    """Workers or their scheduler cannot be reached, or failed at the same work again and again."""


class AllDivergedError(SoftmaxclfError):
    """Every cell of the stack diverged; there is no model to save."""

    exit_code = 4


class RunConflictError(SoftmaxclfError):
    """The output folder holds another run, or another process works in it."""

    exit_code = 5


class InterruptedRunError(SoftmaxclfError):
    """The run was stopped by a signal after its state was saved; the same command continues it."""

    def __init__(self, message: str, signal_number: int) -> None:
        super().__init__(message)
        self.exit_code = 128 + signal_number
