import re

import pytest

from softmaxclf.datasets.cifar.layouts import LAYOUTS
from softmaxclf.datasets.cifar.official import (
    BATCH_MD5,
    CITATION,
    MIRRORS,
    OFFICIAL_FILES,
    archive_of,
    official_file,
    source_name,
)
from softmaxclf.errors import DataError


def test_every_form_has_one_official_archive_and_nothing_else_is_listed() -> None:
    assert sorted(archive_of(layout).name for layout in LAYOUTS) == sorted(f.name for f in OFFICIAL_FILES)
    for layout in LAYOUTS:
        assert official_file(source_name(layout), layout.form) is archive_of(layout)


def test_hashes_have_the_length_of_their_algorithm_and_differ() -> None:
    assert all(re.fullmatch("[0-9a-f]{64}", file.sha256) for file in OFFICIAL_FILES)
    md5 = [h for files in BATCH_MD5.values() for h in files.values()]
    assert all(re.fullmatch("[0-9a-f]{32}", h) for h in md5)
    assert len(set(md5)) == len(md5)


def test_every_file_of_the_python_forms_has_a_hash() -> None:
    python = {layout.folder: layout for layout in LAYOUTS if layout.form == "python"}
    assert set(BATCH_MD5) == set(python)
    for folder, layout in python.items():
        assert set(BATCH_MD5[folder]) == {*layout.train, layout.test, layout.names}


def test_only_encrypted_mirrors_ship() -> None:
    assert all(re.fullmatch(r"https://[a-z.]+/~?kriz/", mirror) for mirror in MIRRORS)


def test_the_citation_names_author_title_and_year() -> None:
    assert all(word in CITATION for word in ("Krizhevsky", "Learning Multiple Layers of Features", "2009"))


@pytest.mark.parametrize(("source", "form"), [("cifar10", "matlab"), ("imagenet", "python"), ("", "")])
def test_an_unknown_source_or_form_is_refused_with_the_known_ones(source: str, form: str) -> None:
    with pytest.raises(DataError, match=r"cifar10 \(python\), .*cifar100 \(binary\)"):
        official_file(source, form)
