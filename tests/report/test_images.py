"""Small images inside the page."""

import base64
import re
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from softmaxclf.report.images import picture, strip


def opened(markup: str) -> Image.Image:
    """The image of an `<img>`."""
    content = re.search(r"base64,([^\"]*)", markup)[1]
    return Image.open(BytesIO(base64.b64decode(content)))


@pytest.mark.parametrize(("count", "width"), [(1, 8), (3, 8), (8, 8), (12, 12)])
def test_few_images_of_a_strip_are_no_larger_than_many(count: int, width: int) -> None:
    shown = opened(strip(np.full((count, 16, 16, 3), 200, np.uint8), "images"))
    assert shown.size == (width * 17 - 1, 16)
    opaque = np.asarray(shown)[0, :, 3] > 0
    assert opaque.sum() == count * 16 and opaque[:16].all()


def test_pictures_keep_their_opacity() -> None:
    image = np.zeros((2, 3, 4), np.uint8)
    image[0, 0] = (255, 0, 0, 128)
    assert (np.asarray(opened(picture(image, "weights"))) == image).all()
