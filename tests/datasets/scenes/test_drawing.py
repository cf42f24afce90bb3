import numpy as np
import pytest

from softmaxclf.datasets.scenes.drawing import (
    Array,
    Frame,
    Scene,
    Stream,
    box,
    cover,
    ellipse,
    limb,
    pair,
    polygon,
    smooth_noise,
    twins,
    union,
)


@pytest.fixture
def scene() -> Scene:
    return Scene(Stream(0, 0), 2)


@pytest.fixture
def frame(scene: Scene) -> Frame:
    return scene.frame((16.0, 16.0), np.full((2, 1, 1), 8, dtype=np.float32))


def area(distance: Array) -> float:
    """Square pixels that a shape covers in the first image."""
    mask = np.broadcast_to(cover(distance), (2, 32, 32))
    return float(mask[0].sum())


def test_areas_of_shapes_are_those_of_geometry(frame: Frame) -> None:
    assert area(ellipse(frame, (0.0, 0.0), (1.0, 0.5))) == pytest.approx(np.pi * 8 * 4, rel=0.01)
    assert area(box(frame, -1.0, -0.5, 0.5, 0.5)) == pytest.approx(12 * 8, rel=0.01)
    assert area(limb(frame, (-0.5, 0.0), (0.5, 0.0), 0.25)) == pytest.approx(8 * 4 + np.pi * 2**2, rel=0.01)
    assert area(polygon(frame, (1.0, 1.0), (-1.0, 1.0), (0.0, -1.0))) == pytest.approx(16 * 16 / 2, rel=0.01)


def test_tapered_limb_is_thicker_at_its_start(frame: Frame) -> None:
    mask = cover(limb(frame, (-0.8, 0.0), (0.8, 0.0), 0.4, 0.1))[0]
    assert mask[:, 10].sum() > 1.8 * mask[:, 22].sum()


def test_pair_and_twins_are_a_shape_and_its_mirror_image(frame: Frame) -> None:
    ends = (0.3, -0.2), (0.9, 0.4)
    assert area(pair(frame, *ends, 0.1)) == pytest.approx(2 * area(limb(frame, *ends, 0.1)), rel=1e-5)
    both = union(*(ellipse(frame, (side * 0.5, 0.1), (0.2, 0.3)) for side in (-1, 1)))
    np.testing.assert_allclose(cover(twins(frame, (0.5, 0.1), (0.2, 0.3))), cover(both), atol=1e-5)


def test_facing_left_is_the_mirror_image_of_facing_right(scene: Scene) -> None:
    facing = np.array([1, -1], dtype=np.float32).reshape(2, 1, 1)
    frame = scene.frame((16.0, 16.0), np.full((2, 1, 1), 8, dtype=np.float32), facing)
    mask = cover(polygon(frame, (1.0, 0.5), (-0.5, 0.5), (-0.5, -0.5)))
    assert mask[0].sum() > 10
    np.testing.assert_array_equal(mask[1], mask[0, :, ::-1])


def test_tilt_turns_by_twice_the_angle_of_its_tangent(scene: Scene) -> None:
    tilt = np.full((2, 1, 1), np.tan(np.pi / 8), dtype=np.float32)
    frame = scene.frame((16.0, 16.0), np.full((2, 1, 1), 8, dtype=np.float32), 1.0, tilt)
    down_right = (slice(None), 20, 20)  # 45 degrees below the front before the turn, straight ahead after it
    assert frame.v[down_right] == pytest.approx([0, 0], abs=1e-6)
    assert frame.u[down_right] == pytest.approx([4.5 * np.sqrt(2) / 8] * 2, rel=1e-6)


def test_paint_blends_by_the_mask(scene: Scene) -> None:
    colour = np.array([1.0, 0.5, 0.0], dtype=np.float32).reshape(1, 3, 1, 1)
    scene.pixels += np.float32(0.5)
    scene.paint(np.array([0.0, 0.5], dtype=np.float32).reshape(2, 1, 1), colour)
    assert scene.pixels[:, :, 3, 4].tolist() == [[0.5, 0.5, 0.5], [0.75, 0.5, 0.25]]


def test_random_numbers_stay_in_their_ranges_and_fill_them() -> None:
    stream = Stream(5, 0)
    uniform, grain = stream.uniform(100, 100), stream.grain(99, 101)
    assert 0 <= uniform.min() < 0.01 and 0.99 < uniform.max() < 1
    assert uniform.mean() == pytest.approx(0.5, abs=0.02)
    assert grain.shape == (99, 101) and np.abs(grain).max() <= 1
    assert (grain.mean(), grain.std()) == pytest.approx((0, 1 / np.sqrt(6)), abs=0.02)


def test_streams_of_different_keys_differ() -> None:
    """Also (0,) and (0, 0), which would collide as plain lists of seeds."""
    words = [Stream(*key).raw(4).tobytes() for key in ((0,), (0, 0), (0, 0, 0), (0, 1), (1, 0), (2**32, 0))]
    assert len(set(words)) == 6


def test_smooth_noise_passes_through_its_values_and_never_leaves_their_range(scene: Scene) -> None:
    values = Stream(0, 0).uniform(2, 5, 5)
    noise = smooth_noise(scene, 4)
    assert noise.shape == (2, 32, 32)
    np.testing.assert_array_equal(noise[:, ::8, ::8], values[:, :4, :4])
    assert values.min() <= noise.min() and noise.max() <= values.max()
