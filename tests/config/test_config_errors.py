"""Broken, hostile and mistaken configurations: one line per problem, with place and remedy."""

import os
import re
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from softmaxclf.config import Config, load_config
from softmaxclf.errors import ConfigError

# (kind, name, bytes, line of the problem or None where the whole file is refused)
CASES = [
    ("tag", "a call of os.system", b"data:\n  source: !!python/object/apply:os.system ['touch marker']\n", 2),
    ("tag", "eval as a new object", b"!!python/object/new:eval ['open(\"marker\", \"w\")']\n", 1),
    ("tag", "a module import", b"data: {source: !!python/module:antigravity x}\n", 1),
    ("tag", "a python name as a key", b"? !!python/name:os.system x\n: 1\n", 1),
    ("tag", "a standard tag", b"training:\n  seed: !!int '3'\n", 2),
    ("tag", "a local tag", b"training: !mine {seed: 3}\n", 1),
    ("tag", "the tag that says nothing", b"data:\n\n  source: ! a\n", 3),
    ("tag", "an undefined handle", b"data: !e!x {}\n", 1),
    ("tag", "a handle with a broken escape", b"data: !%FF {}\n", 1),
    ("alias", "an anchor", b"training:\n  seed: &seed 3\n", 2),
    ("alias", "an alias", b"training:\n  seed: 3\n  batch_size: *seed\n", 3),
    ("alias", "an alias of itself", b"training: &a [*a]\n", 1),
    ("alias", "a billion laughs", b"a: &a [x, x]\n" + b"".join(
        b"%c: &%c [%b]\n" % (c, c, b", ".join([b"*%c" % (c - 1)] * 9)) for c in range(ord("b"), ord("k"))
    ), 1),
    ("alias", "a merge key", b"training:\n  <<: {seed: 3}\n", 2),
    ("duplicate", "a key twice", b"training:\n  seed: 1\n  momentum: 0\n  seed: 2\n", 4),
    ("duplicate", "a section twice", b"training:\n  seed: 1\ndata:\ntraining:\n  seed: 2\n", 4),
    ("duplicate", "equal keys, quoted and plain", b"training: {seed: 1,\n 'seed': 1}\n", 2),
    ("structure", "two documents", b"training:\n---\ndata:\n", 2),
    ("structure", "a list of sections", b"# x\n- training\n", 2),
    ("structure", "a bare word", b"training\n", 1),
    ("structure", "an empty text", b"''\n", 1),
    ("structure", "a section that is a list", b"training:\n- seed\n", 2),
    ("structure", "a section that is a number", b"data:\ntraining: 5\n", 2),
    ("structure", "a list as a key", b"training: {[1]: 2}\n", 1),
    ("structure", "a mapping as a key", b"? {a: 1}\n: 2\n", 1),
    ("structure", "an unknown section", b"\ntrainig:\n  seed: 3\n", 2),
    ("structure", "an unknown key", b"training:\n  batchsize: 3\n", 2),
    ("structure", "a key with a line break", b'"a\\nb": 1\n', 1),
    ("structure", "an empty key", b": 1\n", 1),
    ("syntax", "an open bracket", b"training: {seed: 3\n", 2),
    ("syntax", "an open quote", b"data: {source: 'a\n", 2),
    ("syntax", "a tab as indentation", b"training:\n\tseed: 3\n", 2),
    ("syntax", "a colon too many", b"training:\n  seed: 3: 4\n", 2),
    ("syntax", "wrong indentation", b"training:\n    seed: 3\n  momentum: 0\n", 3),
    ("syntax", "a reserved sign", b"training: @3\n", 1),
    ("syntax", "an escape that does not exist", b'data: {source: "\\q"}\n', 1),
    ("syntax", "an escape beyond Unicode", b'data:\n  source: "\\UFFFFFFFF"\n', 2),
    ("syntax", "another escape beyond Unicode", b'data: {source: "\\U00110000"}\n', 1),
    ("syntax", "half a surrogate pair", b'data: {source: "\\ud800"}\n', 1),
    ("syntax", "a version of a thousand digits", b"%YAML 1." + b"1" * 5000 + b"\n---\n", 1),
    ("syntax", "a version of the future", b"%YAML 2.0\n---\ntraining:\n", 1),
    ("characters", "a NUL byte", b"training:\n  seed: 3\0\n", 2),
    ("characters", "an escape sequence", b"\n\n# \x1b[31mred\n", 3),
    ("characters", "a C1 control character", "# \x9b\n".encode(), 1),
    ("characters", "a noncharacter", "# \uffff\n".encode(), 1),
    ("characters", "a line separator before it", "a: 1\u2028\x07".encode(), 2),
    ("characters", "an escaped bell in a path", b'data: {source: "a\\u0007"}\n', 1),
    ("encoding", "Latin-1", "data:\n  source: Zürich\n".encode("latin-1"), 2),
    ("encoding", "half a byte-order mark", b"\xef\xbb", 1),
    ("encoding", "a wrong byte after a byte-order mark", b"\xef\xbb\xbf\n\xff", 2),
    ("encoding", "an overlong form", b"\xc0\xaf", 1),
    ("encoding", "an encoded surrogate", b"\xed\xa0\x80", 1),
    ("encoding", "UTF-16 little", "training:\n".encode("utf-16-le").join([b"\xff\xfe", b""]), 1),
    ("encoding", "UTF-16 big", b"\xfe\xff" + "training:\n".encode("utf-16-be"), 1),
    ("size", "10 MB of brackets", b"[" * 10_000_000, None),
    ("size", "10 MB of one value", b"data: {source: " + b"a" * 10_000_000 + b"}", None),
    ("size", "256 KB of brackets", b"[" * (256 * 1024), 1),
    ("size", "256 KB of braces", b"{" * (256 * 1024), 1),
    ("size", "256 KB of dashes", b"- " * (128 * 1024), 1),
    ("size", "256 KB of question marks", b"? " * (128 * 1024), 1),
    ("size", "a staircase of keys", b"".join(b" " * depth + b"a:\n" for depth in range(700)), 21),
    ("size", "a list of 100,000 values", b"tuning: {learning_rates: [" + b"1," * 100_000 + b"]}", 1),
    ("size", "a list of 20,000 values", b"tuning:\n  learning_rates: [" + b"1," * 20_000 + b"]\n", 2),
    ("size", "10,000 keys", b"".join(b"k%d: 1\n" % i for i in range(10_000)), 1),
    ("size", "a number of 200,000 digits", b"training: {seed: " + b"9" * 200_000 + b"}", 1),
    ("size", "200,000 digits that are no number", b"training: {seed: " + b"9" * 200_000 + b"x}", 1),
    ("size", "underscores without end", b"training: {learning_rate: " + b"9_" * 100_000 + b"}", 1),
    ("size", "ranges of ranges", b"tuning:\n  learning_rates: " + b"1:2:log9999," * 15_000 + b"1\n", 2),
    ("size", "an anchor of 200,000 letters", b"&" + b"a" * 200_000 + b" b", 1),
    ("size", "a path of 200,000 letters", b"data: {source: " + b"a" * 200_000 + b"}", 1),
]  # fmt: skip


def problems_of(path, settings=(), options=None):
    with pytest.raises(ConfigError) as caught:
        load_config(path, settings, options)
    assert caught.value.exit_code == 2
    assert str(caught.value) == "\n".join(caught.value.problems)
    return caught.value.problems


@pytest.mark.parametrize(("kind", "name", "content", "line"), CASES, ids=[f"{c[0]}: {c[1]}" for c in CASES])
def test_a_hostile_file_gives_one_clear_line_per_problem(tmp_path, monkeypatch, kind, name, content, line):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "hostile.yaml"
    path.write_bytes(content)
    problems = problems_of(path)
    assert len(problems) <= 21
    for problem in problems[:20]:
        assert problem.startswith(f"{path}:")
        assert "expected " in problem
        assert ", got " in problem
        assert problem.isprintable()
        assert len(problem) < 500 + len(str(path))
    if line is not None:
        assert problems[0].startswith(f"{path}:{line}: ")
    assert [entry.name for entry in tmp_path.iterdir()] == ["hostile.yaml"]


def test_the_corpus_has_no_case_twice():
    assert len({(kind, name) for kind, name, _, _ in CASES}) == len(CASES)
    assert len({content for _, _, content, _ in CASES}) == len(CASES)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("trainig: {}", "trainig: expected a section, got an unknown one; did you mean training?"),
        ("x: {}", "x: expected a section, got an unknown one; known: data, features, preprocessing, training, tuning"),
        ("momentum: 0", "it belongs to training"),
        ("seed: 0", "it belongs to data, features and training"),
        ("training.momentum: 0", "it belongs to training"),
        ("data: {batchsize: 1}", "known: source, directory, download, validation, validation_rows, test, seed,"),
        ("training: {batchsize: 1}", "expected a known key, got an unknown one; did you mean batch_size?"),
        ("tuning: {momentum: 1}", "it belongs to training"),
        ("training: {seed: 1, seed: 2}", "this key once, got it again (first on line 1); delete one"),
        ("training: {schedule: cosin}", "expected constant or cosine, got cosin; did you mean cosine?"),
        ("training: {momentum: true}", "a number from 0 to below 1, got true"),
        ("data: {download: yes}", "expected true or false, got yes"),
        ("data: {download: 'true'}", 'expected true or false, got "true"; remove the quotes'),
        ("data: {source: ~/x}", "write the home folder out"),
        ("data: {source: !!python/object:os.x a}", "got the tag !!python/object:os.x; delete it"),
        ("data: {source: *x}", "got the alias *x; write the value itself"),
        ("data: {source: &x 1}", "got the anchor &x; delete it"),
        ("data:\n\tsource: x", "indent with spaces instead of tabs"),
        ("data: {", "check indentation, colons, quotes and brackets"),
        ("data: !<a", "found the end of the file"),
    ],
)  # fmt: skip
def test_the_message_says_what_to_do(tmp_path, text, said):
    path = tmp_path / "a.yaml"
    path.write_text(text, encoding="utf-8")
    assert said in "\n".join(problems_of(path))


def test_all_problems_come_in_one_pass_in_the_order_of_the_lines(tmp_path):
    path = tmp_path / "many.yaml"
    path.write_text(
        "training:\n  batch_size: -5\n  momentum: &a 1\n  nonsense: 1\n  seed: x\n"
        "tuning:\n  folds: 1\n  folds: 2\nother: 1\n",
        encoding="utf-8",
    )
    settings = ["training.momentum=2", "nothing", "tuning.fold=2"]
    options = {"training.learning_rate": "abc", "data.source": "", "training.batch_size": 0}
    found = [
        problem.split(": ")[0].replace(str(path), "FILE") for problem in problems_of(path, settings, options)
    ]
    assert found == [f"FILE:{line}" for line in (2, 3, 4, 5, 7, 8, 9)] + [
        "--set training.momentum=2",
        "--set nothing",
        "--set tuning.fold=2",
        "--learning-rate",
        "--data",
        "--batch-size",
    ]


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("training: {seed: *a}", 1),
        ("training: *a", 1),
        ("training: {seed: !!int 'x'}", 1),
        ("tuning: {learning_rates: [*a]}", 1),
        ("tuning: {learning_rates: {log: [1, *a, &b 3]}}", 2),
        ("training: &a {seed: x}", 2),
        ("a: &a [1]\ndata: {seed: *a}\ntraining: {seed: x}", 4),
    ],
)
def test_what_is_refused_of_yaml_neither_hides_other_problems_nor_makes_new_ones(tmp_path, text, count):
    path = tmp_path / "a.yaml"
    path.write_text(text, encoding="utf-8")
    assert len(problems_of(path)) == count


def test_nesting_is_taken_to_its_limit_and_no_deeper(tmp_path):
    path = tmp_path / "a.yaml"
    for depth, problem in (
        (19, "expected a section"),
        (20, "expected at most 20 levels of nesting, got more"),
    ):
        path.write_text("a: " + "[" * depth + "]" * depth, encoding="utf-8")
        assert problem in problems_of(path)[0]


def test_a_file_that_cannot_be_read_does_not_hide_the_other_problems(tmp_path):
    problems = problems_of(tmp_path / "missing.yaml", ["training.momentum=2"])
    assert [problem.split(":")[0] for problem in problems] == [
        str(tmp_path / "missing.yaml"),
        "--set training.momentum=2",
    ]


def test_at_most_twenty_problems_are_shown_and_the_others_counted(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text("data:\n" + "".join(f"  k{i}: 1\n" for i in range(33)), encoding="utf-8")
    problems = problems_of(path)
    assert len(problems) == 21
    assert problems[-1] == "... and 13 more problems"


def test_long_and_unprintable_values_are_cut_and_escaped():
    (problem,) = problems_of(None, ["training.seed=\x1b[31m\n" + "z" * 500])
    assert problem.isprintable()
    assert "got \\x1b[31m\\nzzz" in problem
    assert re.search(r"got .{80}\.\.\.$", problem)


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("", "expected section.key=value, got no ="),
        ("training.momentum", "expected section.key=value, got no ="),
        (
            "=1",
            "expected a known section.key, got an unknown one; known: data, features, preprocessing, training, tuning",
        ),
        ("momentum=1", "it belongs to training"),
        ("training.momentun=1", "did you mean momentum?"),
        ("training=1", "known: loss, solver, learning_rate"),
        ("trainig.momentum=1", "did you mean training?"),
        ("training.momentum=", "got nothing; leave it out to keep the default"),
        ("tuning.learning_rates=[1, &a 2]", "got the anchor &a; delete it"),
    ],
)
def test_a_wrong_set_option_is_explained(setting, said):
    (problem,) = problems_of(None, [setting])
    assert problem.startswith(f"--set {setting}: ")
    assert said in problem


def test_what_is_no_readable_file_is_told_apart(tmp_path, monkeypatch):
    missing, pipe = tmp_path / "no.yaml", tmp_path / "pipe"
    os.mkfifo(pipe)

    def told(path):
        (problem,) = problems_of(path)
        expected, remedy = (
            f"{path}: expected a configuration file, got ",
            "; check the path given to --config",
        )
        assert problem.startswith(expected) and problem.endswith(remedy)
        return problem.removeprefix(expected).removesuffix(remedy)

    assert told(missing) == "nothing there"
    assert told(tmp_path) == told(Path(os.devnull)) == told(pipe) == "a folder, pipe or device"
    assert told(Path(__file__) / "a.yaml") == "Not a directory"
    assert told(tmp_path / ("a" * 300)) == "File name too long"

    def refuse(path, *_args):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "open", refuse)  # the tests may run as root, whom no mode stops
    assert told(missing) == "Permission denied"


def test_of_too_large_a_file_only_the_allowed_bytes_are_read(tmp_path):
    path = tmp_path / "large.yaml"
    with path.open("wb") as file:
        file.truncate(1 << 40)
    assert problems_of(path) == (f"{path}:1: expected at most 262,144 bytes, got more; shorten the file",)


def test_the_name_of_the_file_is_escaped_too(tmp_path):
    path = tmp_path / "a\nb\x1b.yaml"
    path.write_text("x: 1", encoding="utf-8")
    (problem,) = problems_of(path)
    assert "a\\nb\\x1b.yaml:1: x: " in problem


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbftraining: {seed: 7}",
        b"training:\r\n  seed: 7\r\n",
        b"training:\r  seed: 7\r",
        b"%YAML 1.2\n---\ntraining: {'seed': 7}\n...\n",
        b"{training: {seed: 7,},}",
        b"training:\n  seed:\n    7\n",
        "# ü 你好 🙂\ntraining: {seed: 7}".encode(),
        b"training:\n  seed: 7 # seven",
    ],
)
def test_what_is_merely_unusual_is_read(tmp_path, content):
    path = tmp_path / "a.yaml"
    path.write_bytes(content)
    assert load_config(path) == load_config(None, ["training.seed=7"])


FRAGMENTS = [
    b"data:",
    b"training:",
    b"tuning:",
    b" learning_rates: ",
    b" seed: ",
    b"\n",
    b"\n  ",
    b"1e-7",
    b"[",
    b"]",
]
FRAGMENTS += [
    b"{",
    b"}",
    b",",
    b": ",
    b"- ",
    b"? ",
    b"&a ",
    b"*a",
    b"!!int ",
    b"!<",
    b">",
    b"|+2\n",
    b'"',
    b"'",
    b"\t",
]
FRAGMENTS += [
    b"\\U",
    b"\\x4",
    b"FFFFFFFF",
    b"%YAML 1.1\n",
    b"%TAG ! x\n",
    b"---",
    b"...",
    b"#",
    b"<<",
    b"null",
    b"log",
]
FRAGMENTS += [
    b"\x85",
    b"\xc2\x85",
    b"\xe2\x80\xa8",
    b"\xef\xbb\xbf",
    b"\r",
    b"\0",
    b"!a!%ff ",
    b"1:2:log3",
    b"2GB",
]


@settings(deadline=None)
@given(content=st.binary(max_size=200) | st.lists(st.sampled_from(FRAGMENTS), max_size=30).map(b"".join))
@example(content=b"\xef\xbb")
def test_any_bytes_give_a_configuration_or_a_clear_error(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_bytes(content)
    try:
        assert isinstance(load_config(path), Config)
    except ConfigError as error:
        assert all(problem.isprintable() for problem in error.problems)
        assert all(problem.startswith((f"{path}:", "... and ")) for problem in error.problems)


@settings(deadline=None)
@given(
    text=st.text()
    | st.lists(st.sampled_from(FRAGMENTS), max_size=20).map(lambda b: b"".join(b).decode("latin-1"))
)
def test_any_text_of_an_option_gives_a_configuration_or_a_clear_error(text):
    for key in (
        "data.source",
        "training.seed",
        "tuning.learning_rates",
        "tuning.memory",
        "data.download",
        "",
    ):
        try:
            assert isinstance(load_config(None, [f"{key}={text}"]), Config)
        except ConfigError as error:
            assert all(problem.isprintable() for problem in error.problems)
