import re

from softmaxclf.datasets.cifar.layouts import CITATION, LAYOUTS, MIRRORS


def test_archives_and_hashes_have_their_form_and_differ() -> None:
    for layout in LAYOUTS:
        assert layout.archive == f"{layout.name.lower()}-{layout.form}.tar.gz"
    assert all(re.fullmatch("[0-9a-f]{64}", layout.sha256) for layout in LAYOUTS)
    md5 = [each for layout in LAYOUTS for each in layout.md5]
    assert all(re.fullmatch("[0-9a-f]{32}", each) for each in md5)
    assert len(set(md5)) == len(md5) and len({layout.sha256 for layout in LAYOUTS}) == 4


def test_every_file_of_the_python_forms_has_a_hash() -> None:
    for layout in LAYOUTS:
        assert len(layout.md5) == (len(layout.files) if layout.form == "python" else 0)


def test_only_encrypted_mirrors_ship() -> None:
    assert all(re.fullmatch(r"https://[a-z.]+/~?kriz/", mirror) for mirror in MIRRORS)


def test_the_citation_names_author_title_and_year() -> None:
    assert all(word in CITATION for word in ("Krizhevsky", "Learning Multiple Layers of Features", "2009"))
