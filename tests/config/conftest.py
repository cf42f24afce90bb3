"""What the tests of the configuration share."""

import pytest

from softmaxclf.config import load_config


@pytest.fixture
def load(tmp_path):
    """A function from YAML text (and settings, options) to the configuration."""

    def load_text(text, settings=(), options=None):
        path = tmp_path / "run.yaml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return load_config(path, settings, options)

    return load_text
