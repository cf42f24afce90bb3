import pytest

from softmaxclf.datasets.http_range import RefusedError, redirect_target


@pytest.mark.parametrize(
    ("url", "location", "target"),
    [
        ("https://a.org/x/f", "https://b.org/y/f", "https://b.org/y/f"),
        ("http://a.org/x/f", "http://b.org/y/f", "http://b.org/y/f"),
        ("http://a.org/x/f", "https://a.org/x/f", "https://a.org/x/f"),
        ("https://a.org/x/f", "//b.org/f", "https://b.org/f"),
        ("https://a.org/x/f", "/y/f", "https://a.org/y/f"),
        ("https://a.org/x/f", "g h%20i", "https://a.org/x/g%20h%20i"),
    ],
)
def test_a_redirect_within_the_web_is_followed(url: str, location: str, target: str) -> None:
    assert redirect_target(url, location) == target


@pytest.mark.parametrize("location", ["http://a.org/x/f", "HTTP://b.org/f"])
def test_https_never_becomes_plain_http(location: str) -> None:
    with pytest.raises(RefusedError, match="from https to plain http"):
        redirect_target("https://a.org/x/f", location)


@pytest.mark.parametrize("location", ["file:///etc/passwd", "ftp://b.org/f", "data:,x", "javascript:x"])
def test_a_redirect_to_another_protocol_is_refused(location: str) -> None:
    with pytest.raises(RefusedError, match="redirects to the protocol"):
        redirect_target("http://a.org/f", location)


@pytest.mark.parametrize("location", [None, ""])
def test_a_redirect_without_an_address_is_refused(location: str | None) -> None:
    with pytest.raises(RefusedError, match="nowhere"):
        redirect_target("http://a.org/f", location)
