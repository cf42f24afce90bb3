"""Colours, and what stands behind the objects: sky, street, room, wood and meadow, pond.

Classes share these backgrounds, so that none can be told by its background alone.
"""

import numpy as np

from softmaxclf.datasets.scenes.drawing import (
    SIDE,
    Array,
    Scene,
    box,
    cover,
    ellipse,
    smooth_noise,
    union,
)

WHITE, BLACK, GREY = (0.93, 0.93, 0.93), (0.1, 0.1, 0.12), (0.55, 0.56, 0.58)
RED, BLUE, YELLOW, ORANGE = (0.8, 0.13, 0.12), (0.15, 0.3, 0.7), (0.93, 0.78, 0.2), (0.9, 0.5, 0.18)
BROWN, CHESTNUT, TAN, CREAM = (0.42, 0.27, 0.16), (0.55, 0.28, 0.14), (0.76, 0.6, 0.4), (0.93, 0.86, 0.72)
GRASS, LEAF, OLIVE, DARK_GREEN = (0.36, 0.6, 0.22), (0.28, 0.62, 0.2), (0.45, 0.48, 0.18), (0.12, 0.26, 0.12)
ASPHALT, BARK = (0.4, 0.4, 0.42), (0.3, 0.22, 0.15)
SKIES = (
    (0.32, 0.58, 0.92),
    (0.38, 0.62, 0.92),
    (0.5, 0.7, 0.95),
    (0.6, 0.74, 0.9),
    (0.25, 0.48, 0.82),
    (0.72, 0.74, 0.78),  # overcast
    (0.88, 0.66, 0.52),  # sunset
    (0.2, 0.27, 0.46),  # dusk
)
SEAS = ((0.12, 0.33, 0.55), (0.1, 0.42, 0.5), (0.3, 0.4, 0.48), (0.08, 0.18, 0.34))
ROOMS = (
    (0.72, 0.64, 0.52),
    (0.5, 0.55, 0.62),
    (0.78, 0.74, 0.7),
    (0.5, 0.32, 0.26),
    (0.4, 0.5, 0.4),
    (0.3, 0.28, 0.3),
)
GLASS = ((0.6, 0.75, 0.85), (0.2, 0.25, 0.3))


def sky(scene: Scene, clouds: int) -> None:
    """Fill the images with a sky, paler towards the horizon, and a few soft clouds."""
    top = scene.colour(*SKIES, spread=0.05)
    scene.pixels += top + (0.92 - top) * (scene.y * scene.between(0.1 / SIDE, 0.6 / SIDE))[:, None]
    white = scene.colour(WHITE, (0.8, 0.8, 0.84))
    for _ in range(clouds):
        frame = scene.frame((scene.between(0, 32), scene.between(0, 32)), scene.between(3, 8))
        cloud = ellipse(frame, (0.0, 0.0), (scene.between(0.9, 1.6), scene.between(0.25, 0.5)))
        scene.paint(cover(cloud, 5.0) * scene.between(0.0, 0.9), white)


def ground(scene: Scene, horizon: Array, colour: Array) -> None:
    """Paint all below `horizon` (pixels from the top), darker towards the viewer."""
    shade = 1 - (scene.y - horizon) * scene.between(0.0, 0.5 / SIDE)
    scene.paint(cover(horizon - scene.y, scene.between(1, 3)), colour * shade[:, None])


def street(scene: Scene) -> Array:
    """Sky, houses or trees, and a road. Returns the height on which wheels stand, pixels, (n, 1, 1)."""
    sky(scene, clouds=1)
    horizon = scene.between(12, 18)
    for _ in range(3):
        _house(scene, horizon)
    _bushes(scene, horizon, scene.colour(DARK_GREEN, GRASS, OLIVE), 2)
    ground(scene, horizon, scene.colour(GREY, ASPHALT, (0.5, 0.46, 0.4), GRASS))
    floor = scene.between(22, 27)
    lane = np.abs(scene.y - floor - scene.between(2, 4)) - scene.between(0.2, 0.6)
    scene.paint(cover(lane) * scene.chance(0.6), scene.colour(WHITE, YELLOW))
    return floor


def room(scene: Scene, outdoors: float) -> None:
    """A wall with pictures or windows and a floor; a garden in a share `outdoors` of the images."""
    scene.pixels += scene.colour(*ROOMS)
    for _ in range(2):
        frame = scene.frame((scene.between(0, 32), scene.between(0, 20)), scene.between(3, 9))
        panel = box(frame, -1.0, -scene.between(0.5, 1.6), 1.0, scene.between(0.5, 1.6))
        scene.paint(cover(panel) * scene.chance(0.6), scene.colour(*ROOMS, *SKIES, RED, BLUE))
    ground(scene, scene.between(16, 30), scene.colour(*ROOMS, BROWN, CREAM))
    garden = scene.chance(outdoors)
    scene.paint(garden, scene.colour(GRASS, LEAF, OLIVE, DARK_GREEN))
    scene.paint(garden * cover(scene.y - scene.between(2, 14), 4.0), scene.colour(*SKIES, DARK_GREEN))


def country(scene: Scene, wood: float) -> None:
    """Sky, trees and a meadow; a wood with trunks in a share `wood` of the images."""
    sky(scene, clouds=2)
    horizon = scene.between(6, 18)
    _bushes(scene, horizon, scene.colour(DARK_GREEN, OLIVE, (0.2, 0.35, 0.2)), 4)
    forest = scene.chance(wood)
    scene.paint(forest, scene.colour(DARK_GREEN, (0.25, 0.24, 0.14), OLIVE, (0.4, 0.45, 0.35)))
    leaves = scene.colour(LEAF, DARK_GREEN, (0.5, 0.4, 0.2))
    scene.paint(forest * smooth_noise(scene, 6) * 0.6, leaves)
    meadow = scene.colour(GRASS, LEAF, OLIVE, (0.62, 0.56, 0.32), (0.5, 0.42, 0.28))
    ground(scene, horizon + 8 * forest, meadow)
    _trunks(scene, wood * 0.8)


def foliage(scene: Scene, share: float) -> None:
    """Blurred leaves with sky between them, over a `share` of the images."""
    leafy = scene.chance(share)
    scene.paint(leafy, scene.colour(DARK_GREEN, LEAF, OLIVE, (0.55, 0.6, 0.45)))
    scene.paint(leafy * smooth_noise(scene, 5) * 0.7, scene.colour(LEAF, DARK_GREEN, *SKIES))


def pond(scene: Scene) -> None:
    """Water or damp earth with blurred patches."""
    scene.pixels += scene.colour(*SEAS, OLIVE, BROWN, DARK_GREEN, TAN)
    patches = smooth_noise(scene, 5) * scene.between(0.2, 0.8)
    scene.paint(patches, scene.colour(*SEAS, OLIVE, DARK_GREEN, LEAF, GREY))


def waves(scene: Scene, top: Array) -> None:
    """Short bright crests on the water below `top`, pixels, (n, 1, 1)."""
    crests = []
    for _ in range(4):
        frame = scene.frame((scene.between(0, 32), top + scene.between(0, 10)), scene.between(2, 6))
        crests.append(ellipse(frame, (0.0, 0.0), (1.0, 0.12)))
    scene.paint(cover(union(*crests), 1.5) * scene.between(0.2, 0.7), scene.colour(WHITE, (0.6, 0.75, 0.85)))


def _house(scene: Scene, horizon: Array) -> None:
    """One house on the horizon in six of ten images."""
    left, width, height = scene.between(-4, 30), scene.between(4, 12), scene.between(3, 15)
    wall = np.maximum(np.abs(scene.x - left - width / 2) - width / 2, horizon - height - scene.y)
    scene.paint(cover(wall) * scene.chance(0.6), scene.colour(*ROOMS, GREY))


def _bushes(scene: Scene, horizon: Array, colour: Array, count: int) -> None:
    """Round tree tops along the horizon in seven of ten images."""
    crowns = []
    for _ in range(count):
        frame = scene.frame((scene.between(0, 32), horizon), scene.between(3, 7))
        crowns.append(ellipse(frame, (0.0, 0.0), (1.0, scene.between(0.4, 1.0))))
    scene.paint(cover(union(*crowns), 2.0) * scene.chance(0.7), colour)


def _trunks(scene: Scene, share: float) -> None:
    """Three tree trunks from top to bottom in a `share` of the images."""
    bark = scene.colour(BARK, (0.45, 0.4, 0.34), (0.18, 0.14, 0.1))
    stems = [np.abs(scene.x - scene.between(0, 32)) - scene.between(0.5, 2.0) for _ in range(3)]
    scene.paint(cover(union(*stems)) * scene.chance(share), bark)
