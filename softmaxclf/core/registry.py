"""Names and where what they stand for lives, so that a name can be checked before its module is loaded."""

from importlib import import_module
from typing import Any


class Registry(dict[str, str]):
    """A name to its home, "package.module:attribute"; the names are those that users type."""

    def load(self, name: str) -> Any:
        """What the name stands for; its module is imported now. Raises KeyError for an unknown name."""
        module, _, attribute = self[name].partition(":")
        return getattr(import_module(module), attribute)
