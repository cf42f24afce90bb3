"""What installing and importing the package gives."""

import subprocess
import sys
import tomllib
from importlib.resources import files
from pathlib import Path

import pytest

import softmaxclf

ROOT = Path(__file__).resolve().parents[1]
NAMES = [
    "softmax", "log_softmax", "cross_entropy", "softmax_loss_naive", "softmax_loss_vectorized",
    "hinge_loss_naive", "hinge_loss_vectorized", "fit", "export", "load_model", "SoftmaxClassifier",
    "SoftmaxClassifierCV", "PatchFeatures",
]  # fmt: skip
RUN_TIME = {"numpy", "click", "matplotlib", "tqdm", "pyyaml"}


def loaded_after(code: str) -> set[str]:
    """The top-level modules that a new process has loaded after `code`."""
    script = f"import sys\n{code}\nprint('LOADED', *{{name.split('.')[0] for name in sys.modules}})"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(result.stdout.rpartition("LOADED")[2].split())


def test_importing_the_package_loads_no_numpy():
    loaded = loaded_after("import softmaxclf; softmaxclf.__version__; dir(softmaxclf)")
    assert "softmaxclf" in loaded
    assert not loaded & {"numpy", "matplotlib", "click", "yaml", "tqdm"}


def test_a_name_of_core_loads_numpy_and_no_more():
    loaded = loaded_after("from softmaxclf import softmax")
    assert "numpy" in loaded and not loaded & {"matplotlib", "click", "yaml", "tqdm"}


@pytest.mark.parametrize("name", NAMES)
def test_names_are_resolved_when_they_are_asked_for(name):
    assert callable(getattr(softmaxclf, name))
    assert name in dir(softmaxclf) and name in softmaxclf.__all__


def test_all_is_what_is_there_and_another_name_is_an_attribute_error():
    assert set(softmaxclf.__all__) == {"__version__", *NAMES}
    with pytest.raises(AttributeError, match="no attribute 'sofmax'"):
        softmaxclf.sofmax  # noqa: B018


def test_the_package_is_typed():
    assert files("softmaxclf").joinpath("py.typed").is_file()


def test_the_project_file_states_the_five_dependencies_and_the_version_of_the_package():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    names = {each.split(">=")[0] for each in project["dependencies"]}
    assert names == RUN_TIME and all(">=" in each for each in project["dependencies"])
    assert project["version"] == softmaxclf.__version__
    assert project["scripts"] == {"softmaxclf": "softmaxclf.__main__:main"}


def test_the_changelog_has_this_version_or_what_is_not_released():
    text = (ROOT / "CHANGELOG.md").read_text()
    assert softmaxclf.__version__ in text or "Unreleased" in text


def test_the_shipped_configurations_load():
    from softmaxclf.config import load_config

    shipped = sorted((ROOT / "configs").glob("*.yaml"))
    assert {path.name for path in shipped} >= {"sample.yaml", "classic.yaml", "cifar10.yaml"}
    for path in shipped:
        load_config(path)


def test_the_classic_configuration_is_the_classic_recipe():
    from softmaxclf.config import load_config

    config = load_config(ROOT / "configs" / "classic.yaml")
    assert config.tuning.learning_rates == (1.4e-7, 1.5e-7, 1.6e-7)
    assert config.tuning.regularizations == tuple(1000.0 * each for each in (8, 9, 10, 11, 18, 19, 20, 21))
    training = config.training
    assert (training.iterations, training.batch_size, training.momentum) == (3000, 200, 0)
    assert (training.schedule, training.regularize_bias) == ("constant", True)
    assert config.data.validation_rows == "last" and config.data.validation == 1000
