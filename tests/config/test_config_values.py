"""What each kind of value takes: numbers as people write them, flags, words, paths, memory and grid axes."""

import math

import pytest
import yaml

from softmaxclf.config import load_config
from softmaxclf.errors import ConfigError


def problems_of(action):
    with pytest.raises(ConfigError) as caught:
        action()
    return caught.value.problems


# --- numbers: the traps of YAML 1.1 ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-7", 1e-7),
        ("5e-8", 5e-8),
        ("1e7", 1e7),
        ("1.5e4", 1.5e4),
        ("1.5E+4", 1.5e4),
        (".5", 0.5),
        ("1.", 1.0),
        ("+2", 2.0),
        ("9_000", 9000.0),
        ("9_000.5", 9000.5),
        ("0.001", 1e-3),
        ("1e-300", 1e-300),
        ("1e300", 1e300),
    ],
)
def test_what_looks_like_a_number_is_one(load, text, value):
    assert load(f"training: {{learning_rate: {text}}}").training.learning_rate == value
    assert load_config(None, [f"training.learning_rate={text}"]).training.learning_rate == value


def test_pyyaml_itself_still_falls_into_these_traps():
    """If this fails, PyYAML has changed, and yaml_reader's reason to read texts should be told anew."""
    assert yaml.safe_load("1e-7") == "1e-7"
    assert yaml.safe_load("010") == 8
    assert yaml.safe_load("12:30") == 750
    assert yaml.safe_load("yes") is True
    assert yaml.safe_load("{a: 1, a: 2}") == {"a": 2}


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("010", "leading zeros"),
        ("0x10", ""),
        ("0o10", ""),
        ("0b1", ""),
        ("12:30", ""),
        ("'7'", "remove the quotes"),
        ('"1e-7"', "remove the quotes"),
        ("true", "got true"),
        ("yes", "got yes"),
        (".nan", "got .nan"),
        (".inf", "got .inf"),
        ("-.inf", "got -.inf"),
        ("nan", "finite"),
        ("1e999", "finite"),
        ("'1,5'", ""),
        ("null", "leave it out"),
        ("~", "leave it out"),
        ("", "leave it out"),
        ("[1]", "one value"),
        ("{a: 1}", "one value"),
        ("1 2", ""),
        ("1e", ""),
        ("_1", ""),
        ("1__0", ""),
        ("٣", ""),
        ("1e-301", ""),
        ("0", ""),
        ("-1", ""),
        ("1e301", ""),
        ("2001-01-01", ""),
        ("|\n    7", ""),
    ],
)
def test_what_is_no_positive_number_is_refused(load, text, hint):
    (problem,) = problems_of(lambda: load(f"training:\n  learning_rate: {text}\n"))
    assert ":2: training.learning_rate: expected auto or a number from 1e-300 to 1e300, got " in problem
    assert hint in problem


def test_a_decimal_comma_is_pointed_out():
    (problem,) = problems_of(lambda: load_config(None, ["training.momentum=0,5"]))
    assert problem.endswith("got 0,5; write a decimal point, not a comma")


@pytest.mark.parametrize("text", ["48,32", "48, 32", "48x32"])
def test_a_size_without_brackets_is_told_to_have_them(text):
    (problem,) = problems_of(lambda: load_config(None, [f"data.image_size={text}"]))
    assert problem.endswith(f"got {text}; write [48, 32]")


@pytest.mark.parametrize("text", ["3000", "3e3", "3000.0", "3_000", "+3000", "30E2"])
def test_a_whole_number_may_be_written_in_any_way(load, text):
    iterations = load(f"training: {{iterations: {text}}}").training.iterations
    assert iterations == 3000
    assert type(iterations) is int


@pytest.mark.parametrize("text", ["200.5", "true", "-1", "1e10", "1e-3", "abc", "''"])
def test_what_is_no_whole_number_in_range_is_refused(load, text):
    (problem,) = problems_of(lambda: load(f"training: {{batch_size: {text}}}"))
    assert "training.batch_size: expected a whole number from 1 to 1,000,000,000, got" in problem


@pytest.mark.parametrize(
    ("key", "good", "bad"),
    [
        ("training.momentum", ["0", "0.9", "0.999999"], ["1", "-0.1", "1.0", "2"]),
        ("training.regularization", ["0", "1e300", "-0.0"], ["-1", "1e301", "-1e-300"]),
        ("training.iterations", ["0", "1000000000"], ["-1", "1000000001"]),
        ("training.seed", ["0", "4294967295"], ["-1", "4294967296"]),
        ("data.seed", ["0", "4294967295"], ["-1", "4294967296"]),
        ("data.validation", ["0", "1", "0.5", "auto"], ["-1", "-0.5", "1.5", "none"]),
        ("tuning.folds", ["0", "2", "100"], ["1", "-2", "101", "2.5"]),
        ("tuning.memory", ["1", "2GB", "1e15"], ["0", "-1", "2000TB", "GB", "2 gallons", "0.1", "[1]"]),
        ("data.download", ["true", "False", "TRUE"], ["yes", "no", "on", "off", "1", "0", "t", "null"]),
        ("training.loss", ["softmax", "hinge"], ["Softmax", "svm", "null", "[softmax]", "''"]),
        ("preprocessing.scale", ["none", "standardize", "unit-norm"], ["null", "unit_norm", "true"]),
        ("data.source", ["yes", "123", "a/b", "ü", "x"], ["null", "~", "~/x", "", "' '", "[a]", '"\\u0007"']),
    ],
)
def test_a_key_takes_its_range_and_nothing_else(load, key, good, bad):
    section, name = key.split(".")
    for text in good:
        load(f"{section}: {{{name}: {text}}}")
    for text in bad:
        (problem,) = problems_of(lambda text=text: load(f"{section}:\n  {name}: {text}\n"))
        assert f":2: {key}: expected " in problem


def test_minus_zero_becomes_zero(load):
    assert math.copysign(1, load("training: {regularization: -0.0}").training.regularization) == 1


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2GB", 2 * 10**9),
        ("500 MB", 500 * 10**6),
        ("1.5gib", 3 * 2**29),
        ("12345", 12345),
        ("null", None),
        ("1KB", 1000),
        ("1KiB", 1024),
        ("7B", 7),
        ("1e9", 10**9),
        ("'2GB'", 2 * 10**9),
        ("", None),
    ],
)
def test_memory_is_bytes_with_or_without_a_unit(load, text, value):
    assert load(f"tuning:\n  memory: {text}\n").tuning.memory == value


# --- grid axes ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("1e-7", (1e-7,)),
        ("1e-7,3e-7", (1e-7, 3e-7)),
        (" 3e-7 , 1e-7 ", (1e-7, 3e-7)),
        ("1e2:1e4:log5", (100.0, 316.228, 1000.0, 3162.28, 10000.0)),
        ("1e4:1e2:log3", (100.0, 1000.0, 10000.0)),
        ("0:9:lin4", (0.0, 3.0, 6.0, 9.0)),
        ("0:9:linear4", (0.0, 3.0, 6.0, 9.0)),
        ("0,1:100:log3", (0.0, 1.0, 10.0, 100.0)),
        ("[1, 2]", (1.0, 2.0)),
        ("{log: [1e-8, 1e-6, 3]}", (1e-8, 1e-7, 1e-6)),
        ("1e-300:1e300:log3", (1e-300, 1.0, 1e300)),
        ("1.0000001:1.0000002:lin3", (1.0000001, 1.00000015, 1.0000002)),
    ],
)
def test_an_axis_is_read_as_typed(text, values):
    assert load_config(None, [f"tuning.regularizations={text}"]).tuning.regularizations == values


@pytest.mark.parametrize("spacing", ["log", "linear", "lin"])
def test_an_axis_in_a_file_may_be_a_list_a_range_or_one_value(load, spacing):
    assert load("tuning: {learning_rates: [3e-7, 1e-7]}").tuning.learning_rates == (1e-7, 3e-7)
    assert load("tuning: {learning_rates: 1e-7}").tuning.learning_rates == (1e-7,)
    assert load("tuning:\n  learning_rates: 1e-7,3e-7\n").tuning.learning_rates == (1e-7, 3e-7)
    values = load(f"tuning: {{learning_rates: {{{spacing}: [1, 4, 3]}}}}").tuning.learning_rates
    assert values == ((1.0, 2.0, 4.0) if spacing == "log" else (1.0, 2.5, 4.0))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", "got nothing"),
        ("[]", "got an empty list"),
        ("1,,2", "got nothing"),
        ("1,1.0", "got 1 twice"),
        ("1:1:lin3", "got 1 twice"),
        ("1:2", "got 1:2; a range is written first:last:log5"),
        ("1:2:3", "a range is written"),
        ("1:2:log1", "got the count 1; it must be a whole number from 2 to 10,000"),
        ("1:2:log", "got the count nothing"),
        ("1:2:log2.5", "got the count 2.5"),
        ("1:2:log99999999999", "got the count 99999999999"),
        ("0:2:log3", "touches 0; start it above 0"),
        ("1:2:log9999,3:4:log9999", "got over 10,000 values"),
        ("{log: [1, 2]}", "got log without three numbers; write {log: [first, last, count]}"),
        ("{log: 3}", "got log without three numbers"),
        ("{log: {a: 1}}", "got log without three numbers"),
        ("{}", "got another mapping; its one key is log or linear"),
        ("{log: [1, 2, 3], lin: [1, 2, 3]}", "got another mapping"),
        ("{cubic: [1, 2, 3]}", "got another mapping"),
        ("[1, [2]]", "got a list"),
        ("[1, yes]", "got yes"),
        ("[1, -1]", "got -1"),
        ("[1", "expected YAML, got an error"),
        ("nan", "finite"),
        ("a\nb", "got a\\nb"),
    ],
)
def test_an_axis_that_makes_no_sense_is_refused(text, found):
    (problem,) = problems_of(lambda: load_config(None, [f"tuning.regularizations={text}"]))
    assert problem.startswith("--set tuning.regularizations=")
    assert found in problem


def test_a_quoted_axis_is_refused_like_a_quoted_number(load):
    (problem,) = problems_of(lambda: load("tuning: {learning_rates: '1e-7'}"))
    assert problem.endswith('got "1e-7"; remove the quotes, or write a list')


def test_short_text_cannot_stand_for_unbounded_values():
    text = ",".join(["1:2:log9999"] * 10_000)
    (problem,) = problems_of(lambda: load_config(None, [f"tuning.regularizations={text}"]))
    assert "got over 10,000 values" in problem


def test_a_problem_in_a_long_list_is_reported_at_its_own_line(load):
    (problem,) = problems_of(lambda: load("tuning:\n  learning_rates:\n  - 1e-7\n  - 0\n  - 3\n"))
    assert ":4: tuning.learning_rates: " in problem
