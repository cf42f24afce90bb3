"""What is written is true: every help ends in an example that runs, and README.md names everything there is."""

import re
import shlex
import shutil
from inspect import cleandoc
from pathlib import Path

import click
import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from softmaxclf.cli.main import cli
from softmaxclf.config.schema import SCHEMA

ROOT = Path(__file__).resolve().parents[1]
DOWNLOADS = ("data", "download")


def commands(group: click.Group, *path: str) -> dict[tuple[str, ...], click.Command]:
    """Every command of the group and of the groups in it, by the words that call it."""
    found: dict[tuple[str, ...], click.Command] = {}
    for name, command in group.commands.items():
        found[(*path, name)] = command
        if isinstance(command, click.Group):
            found |= commands(command, *path, name)
    return found


COMMANDS = {(): cli, **commands(cli)}


def examples_of(command: click.Command) -> list[list[str]]:
    """The command lines of the Example block of a command's help, as words."""
    text = cleandoc(command.help or "").replace("\b", "")
    block = re.search(r"^Examples?:\n((?: +\S.*\n?)+)\s*\Z", text, re.MULTILINE)
    if block is None:
        return []
    lines = block[1].replace("\\\n", " ").splitlines()
    return [shlex.split(line) for line in lines if line.strip()]


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: " ".join(words) or "softmaxclf")
def test_every_help_ends_in_an_example_of_that_command(words):
    examples = examples_of(COMMANDS[words])
    assert examples, "the help text must end in an indented block after the line 'Example:'"
    assert all(tuple(each[: 1 + len(words)]) == ("softmaxclf", *words) for each in examples)


def invoke(*arguments: object) -> None:
    result = CliRunner().invoke(cli, [str(each) for each in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.stderr


@pytest.fixture(scope="module")
def workplace(tmp_path_factory, sample_folder):
    """A folder as a user has it after the first steps: the shipped configs, some runs, an image, data in data/."""
    folder = tmp_path_factory.mktemp("workplace")
    shutil.copytree(ROOT / "configs", folder / "configs")
    shutil.copytree(sample_folder, folder / "data" / "cifar-10-batches-py")
    pixels = np.random.default_rng(0).integers(0, 256, (40, 60, 3)).astype(np.uint8)
    Image.fromarray(pixels).save(folder / "photo.jpg")
    quick = ("train", "--data", sample_folder, "--iterations", 40, "--learning-rate", "3e-7")
    invoke(*quick, "--out", folder / "runs" / "demo", "--test")
    flowers = [f"{x},{2 * x},{'rose' if x < 20 else 'lily'}" for x in range(40)]
    (folder / "flowers.csv").write_text("\n".join(["width,length,label", *flowers]))
    invoke("train", "--data", folder / "flowers.csv", "--out", folder / "runs" / "flowers")
    for loss in ("softmax", "hinge"):
        invoke(*quick, "--set", f"training.loss={loss}", "--out", folder / "runs" / loss)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "example"),
    [(words, each) for words, command in COMMANDS.items() for each in examples_of(command)],
    ids=lambda words: " ".join(words),
)
def test_every_example_runs(words, example, workplace, monkeypatch):
    if tuple(example[1:3]) == DOWNLOADS:
        pytest.skip("needs the network")
    monkeypatch.chdir(workplace)
    before = sorted(ROOT.iterdir())
    # Fewer steps than written, where a command takes steps: what is tested is that its words and files work.
    options = [name for parameter in COMMANDS[words or ("tune",)].params for name in parameter.opts]
    invoke(*example[1:], *(["--iterations", 30] if "--iterations" in options else []))
    assert sorted(ROOT.iterdir()) == before, "an example wrote outside its folder"


# README.md


@pytest.fixture(scope="module")
def readme() -> str:
    return (ROOT / "README.md").read_text()


@pytest.mark.parametrize("words", [words for words in COMMANDS if len(words) == 1], ids=" ".join)
def test_the_readme_has_every_command(words, readme):
    assert re.search(rf"softmaxclf {words[0]}\b", readme)


def test_the_readme_names_the_commands_of_data(readme):
    for name in cli.commands["data"].commands:
        assert re.search(rf"\b{name}\b", readme), name


def settings_table() -> str:
    """The table of configs/README.md, made from the schema."""
    lines = ["| key | default | expected | meaning |", "|---|---|---|---|"]
    for each in SCHEMA.values():
        cells = (f"`{each.key}`", f"`{each.default}`", each.expected, each.help.replace("|", "\\|"))
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def test_the_reference_has_every_setting_as_the_schema_declares_it():
    text = (ROOT / "configs" / "README.md").read_text()
    assert settings_table() in text, f"the table of configs/README.md should be:\n{settings_table()}"


def test_every_configuration_that_the_readme_names_exists_and_every_one_is_named(readme):
    named = set(re.findall(r"configs/[\w.-]+\.yaml", readme))
    assert named == {f"configs/{path.name}" for path in (ROOT / "configs").glob("*.yaml")}


PAGES = sorted(path.relative_to(ROOT) for path in ROOT.glob("*.md")) + [
    Path(folder) / "README.md" for folder in ("softmaxclf", "configs", "scripts", "tests", "data")
]


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_every_relative_link_and_image_of_a_page_exists(page):
    text = (ROOT / page).read_text()
    links = re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r'(?:src|href)="([^"]+)"', text)
    relative = [link.split("#")[0] for link in links if not re.match(r"[a-z]+:|#", link)]
    missing = [link for link in relative if not (ROOT / page.parent / link).exists()]
    assert not missing


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_a_page_is_finished(page):
    text = (ROOT / page).read_text()
    assert "@@" not in text and "TODO" not in text and "<!--" not in text


def test_the_front_door_is_short_and_links_to_the_other_pages(readme):
    assert len(readme.splitlines()) <= 140
    for page in PAGES:
        assert page == Path("README.md") or f"]({page})" in readme


def test_the_python_of_the_readme_runs(readme, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for block in re.findall(r"```python\n(.*?)```", readme, re.DOTALL):
        exec(compile(block, "README.md", "exec"), {})
    assert "0.839" in capsys.readouterr().out


def test_the_readme_links_to_headings_that_it_has(readme):
    headings = re.findall(r"^#+ (.+)$", readme, re.MULTILINE)
    anchors = {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}
    missing = [anchor for anchor in re.findall(r"\]\(#([^)]+)\)", readme) if anchor not in anchors]
    assert not missing


def test_the_readme_names_every_exit_code(readme):
    paragraph = re.search(r"\*\*Exit codes\.\*\*.*?\n\n|## Exit codes.*?\n## ", readme, re.DOTALL)
    assert paragraph
    for code in (0, 1, 2, 3, 4, 5, 130, 143):
        assert re.search(rf"\b{code}\b", paragraph[0]), code


def test_every_command_line_of_the_readme_uses_options_that_exist(readme):
    """Words after `softmaxclf <command>` in code blocks and code spans that begin with -- are options of it."""
    code = "\n".join(
        re.findall(r"```.*?\n(.*?)```", readme, re.DOTALL) + re.findall(r"`(softmaxclf [^`\n]+)`", readme)
    )
    unknown = []
    for line in re.findall(
        r"^[\s$]*(?:\.venv/bin/)?(softmaxclf .*)$", code.replace("\\\n", " "), re.MULTILINE
    ):
        words = line.split("#")[0].split()[1:]
        path = next((tuple(words[:n]) for n in (2, 1) if tuple(words[:n]) in COMMANDS), None)
        if path is None:
            continue
        known = {"--help", "--version"} | {
            name for each in COMMANDS[path].params for name in (*each.opts, *each.secondary_opts)
        }
        unknown += [
            f"{line}: {word}"
            for word in words
            if word.startswith("--") and word.split("=")[0] not in known | {"--"}
        ]
    assert not unknown


if __name__ == "__main__":
    print(settings_table())
