"""Painters of the animal classes: bird, cat, deer, dog, frog, horse.

Each paints n empty images. Lengths inside a frame are units of the object's scale, so that an object spans about
-1 to 1. Cat and dog share rooms and gardens, deer and horse wood and meadow, and a bird the sky with the airplane.
"""

from softmaxclf.datasets.scenes.drawing import (
    Array,
    Frame,
    Number,
    Scene,
    cover,
    darker,
    ellipse,
    limb,
    pair,
    polygon,
    shaded,
    twins,
    union,
)
from softmaxclf.datasets.scenes.scenery import (
    BARK,
    BLACK,
    BLUE,
    BROWN,
    CHESTNUT,
    CREAM,
    DARK_GREEN,
    GRASS,
    GREY,
    LEAF,
    OLIVE,
    ORANGE,
    RED,
    TAN,
    WHITE,
    YELLOW,
    country,
    foliage,
    pond,
    room,
    sky,
)

PINK = (0.85, 0.5, 0.5)
ANTLER = (
    ((0.62, -0.75), (0.5, -1.2)),
    ((0.5, -1.2), (0.65, -1.45)),
    ((0.55, -1.0), (0.3, -1.2)),
    ((0.72, -0.78), (0.85, -1.15)),
    ((0.85, -1.15), (0.78, -1.4)),
    ((0.8, -1.0), (1.05, -1.15)),
)


def bird(scene: Scene) -> None:
    """A small bird, sitting on a branch or (four of ten) flying, before leaves or sky."""
    sky(scene, clouds=2)
    foliage(scene, 0.5)
    flying = scene.chance(0.4)
    centre = (scene.between(12, 20), scene.between(12, 20))
    body = scene.frame(centre, scene.between(9, 12.5), scene.facing(), scene.between(-0.3, 0.05))
    coat = scene.colour(BROWN, BLUE, RED, YELLOW, BLACK, GREY, WHITE, TAN)
    dark = darker(scene, coat, 0.45, 0.75)
    _perch(scene, body, 1 - flying)
    far_wing = polygon(body, (0.35, -0.1), (-0.2, -0.1), (-0.35, -0.95), (-0.15, -1.0))
    scene.paint(cover(far_wing) * flying, dark * 0.8)
    scene.paint(cover(polygon(body, (-0.4, 0.1), (-1.1, 0.3), (-1.15, 0.05), (-0.45, -0.15))), dark)
    trunk = union(ellipse(body, (0.0, 0.0), (0.58, 0.34)), ellipse(body, (0.55, -0.28), (0.26, 0.25)))
    scene.paint(cover(trunk), coat)
    breast = cover(ellipse(body, (0.2, 0.15), (0.35, 0.2)), 3.0) * 0.8
    scene.paint(breast, scene.colour(WHITE, CREAM, ORANGE))
    beak = polygon(body, (0.76, -0.16), (0.76, -0.38), (1.08, -0.24))
    scene.paint(cover(beak), scene.colour(ORANGE, YELLOW, BARK))
    scene.paint(cover(ellipse(body, (0.62, -0.33), (0.07, 0.07))), scene.colour(BLACK))
    folded = cover(ellipse(body, (-0.2, -0.03), (0.45, 0.2)))
    raised = cover(polygon(body, (0.3, 0.0), (-0.3, 0.0), (-0.75, -0.85), (-0.5, -0.95)))
    scene.paint(folded * (1 - flying) + raised * flying, dark)


def cat(scene: Scene) -> None:
    """The head of a cat: pointed ears, slit eyes, small nose, often stripes."""
    room(scene, 0.25)
    head = _head(scene)
    coat = scene.colour(ORANGE, GREY, BLACK, WHITE, CREAM, BROWN, TAN)
    dark = darker(scene, coat, 0.4, 0.8)
    _shoulders(scene, head, dark)
    tip = scene.between(-1.4, -1.1)
    left = polygon(head, (-0.15, -0.6), (-0.85, -0.2), (-0.85, tip))
    right = polygon(head, (0.85, -0.2), (0.15, -0.6), (0.85, tip))
    skull = ellipse(head, (0.0, 0.0), (scene.between(0.88, 1.0), scene.between(0.75, 0.85)))
    scene.paint(cover(union(left, right, skull)), shaded(head, coat, 0.15))
    scene.paint(cover(union(left, right) + 0.14 * head.scale), scene.colour(PINK))
    middle, outer = limb(head, (0.0, -0.75), (0.0, -0.4), 0.05), pair(head, (0.25, -0.75), (0.18, -0.4), 0.05)
    scene.paint(cover(union(middle, outer)) * scene.chance(0.6), dark)
    _eyes(scene, head, -0.1, 0.42, 0.06, scene.colour((0.6, 0.75, 0.25), YELLOW, (0.4, 0.65, 0.75)))
    muzzle = cover(twins(head, (0.18, 0.38), (0.22, 0.18))) * scene.between(0.2, 0.9)
    scene.paint(muzzle, scene.colour(WHITE, CREAM))
    scene.paint(cover(polygon(head, (0.0, 0.34), (-0.13, 0.2), (0.13, 0.2))), scene.colour(PINK, BLACK))


def dog(scene: Scene) -> None:
    """The head of a dog: hanging ears, round eyes, pale muzzle with a large nose, sometimes a tongue."""
    room(scene, 0.45)
    head = _head(scene)
    coat = scene.colour(BROWN, TAN, WHITE, BLACK, CHESTNUT, CREAM, GREY)
    dark = darker(scene, coat, 0.4, 0.8)
    _shoulders(scene, head, dark)
    skull = ellipse(head, (0.0, -0.05), (scene.between(0.7, 0.82), scene.between(0.8, 0.95)))
    scene.paint(cover(skull), shaded(head, coat, 0.15))
    scene.paint(cover(pair(head, (0.62, -0.6), (0.98, scene.between(0.25, 0.6)), 0.14, 0.24)), dark)
    tongue = cover(limb(head, (0.0, 0.75), (0.0, 0.98), 0.13)) * scene.chance(0.4)
    scene.paint(tongue, scene.colour((0.9, 0.45, 0.5)))
    muzzle = cover(ellipse(head, (0.0, 0.42), (0.42, 0.42))) * scene.between(0.4, 1.0)
    scene.paint(muzzle, scene.colour(WHITE, CREAM, TAN))
    _eyes(scene, head, -0.15, 0.35, 0.09, scene.colour((0.35, 0.22, 0.12)))
    scene.paint(cover(ellipse(head, (0.0, 0.24), (0.2, 0.15))), scene.colour(BLACK))


def deer(scene: Scene) -> None:
    """A brown, slender body, upright neck, mostly antlers, in a wood or on a meadow."""
    country(scene, 0.7)
    beast, foot = _standing(scene, (0.8, 1.0), (23, 28), (9, 13))
    coat = scene.colour(BROWN, CHESTNUT, (0.62, 0.42, 0.24), TAN, light=0.08)
    antlers = union(*(limb(beast, start, end, 0.05) for start, end in ANTLER))
    scene.paint(cover(antlers) * scene.chance(0.75), scene.colour(CREAM, TAN, (0.4, 0.3, 0.2)))
    scene.paint(cover(_legs(scene, beast, 0.07, foot, 0.55)), coat * 0.75)
    ear = limb(beast, (0.58, -0.72), (0.4, -0.8), 0.07)
    neck = limb(beast, (0.42, -0.08), (0.63, -0.6), 0.18, 0.12)
    face = limb(beast, (0.64, -0.66), (0.92, -0.55), 0.14, 0.08)
    trunk = ellipse(beast, (0.0, 0.02), (0.6, scene.between(0.24, 0.3)))
    scene.paint(cover(union(trunk, neck, face, ear)), shaded(beast, coat, 0.35))
    scene.paint(cover(ellipse(beast, (-0.6, 0.0), (0.1, 0.14))), scene.colour(WHITE, CREAM))
    scene.paint(cover(ellipse(beast, (0.7, -0.69), (0.04, 0.04))), scene.colour(BLACK))


def horse(scene: Scene) -> None:
    """A heavy body with slanting neck, mane and long tail, mostly on a meadow."""
    country(scene, 0.2)
    beast, foot = _standing(scene, (0.8, 0.95), (25, 29), (10, 14))
    coat = scene.colour(BROWN, CHESTNUT, BLACK, (0.35, 0.2, 0.12), WHITE, GREY, TAN)
    hair = scene.colour(BLACK, (0.25, 0.17, 0.1), CREAM)
    scene.paint(cover(limb(beast, (-0.62, -0.1), (-0.85, scene.between(0.4, 0.7)), 0.09, 0.13)), hair)
    scene.paint(cover(_legs(scene, beast, 0.1, foot, 0.62)), coat * 0.75)
    nod = scene.between(-0.15, 0.25)
    neck = limb(beast, (0.48, -0.12), (0.75, -0.62 + nod), 0.24, 0.15)
    face = limb(beast, (0.76, -0.68 + nod), (1.05, -0.38 + nod), 0.14, 0.1)
    ear = limb(beast, (0.7, -0.75 + nod), (0.72, -0.92 + nod), 0.05)
    trunk = ellipse(beast, (0.0, 0.0), (0.7, scene.between(0.3, 0.36)))
    scene.paint(cover(union(trunk, neck, face, ear)), shaded(beast, coat, 0.35))
    scene.paint(cover(limb(beast, (0.4, -0.35), (0.62, -0.8 + nod), 0.09)), hair)
    scene.paint(cover(ellipse(beast, (0.82, -0.68 + nod), (0.04, 0.04))), scene.colour(BLACK))


def frog(scene: Scene) -> None:
    """A crouching frog with bulging eyes and a wide mouth, on a leaf in a pond or on the ground."""
    pond(scene)
    centre = (scene.between(11, 21), scene.between(13, 22))
    body = scene.frame(centre, scene.between(9, 13), tilt=scene.between(-0.1, 0.1))
    pad = ellipse(body, (scene.between(-0.4, 0.4), 0.75), (scene.between(1.2, 1.8), 0.4))
    scene.paint(cover(pad) * scene.chance(0.6), scene.colour(GRASS, DARK_GREEN, OLIVE))
    coat = scene.colour(LEAF, GRASS, OLIVE, (0.3, 0.45, 0.15), BROWN, spread=0.1)
    dark = darker(scene, coat, 0.55, 0.85)
    hind = union(twins(body, (0.72, 0.45), (0.38, 0.32)), pair(body, (0.7, 0.78), (1.1, 0.82), 0.08))
    scene.paint(cover(hind), dark)
    trunk = union(ellipse(body, (0.0, 0.25), (0.75, 0.55)), ellipse(body, (0.0, -0.15), (0.78, 0.42)))
    bulges = twins(body, (0.45, -0.5), (0.25, 0.25))
    scene.paint(cover(union(trunk, bulges)), shaded(body, coat, 0.25))
    belly = cover(ellipse(body, (0.0, 0.45), (0.45, 0.33)), 3.0) * 0.8
    scene.paint(belly, scene.colour(CREAM, (0.8, 0.85, 0.5)))
    _eyes(scene, body, -0.52, 0.45, 0.09, scene.colour(YELLOW, WHITE, ORANGE))
    scene.paint(cover(pair(body, (0.0, 0.05), (0.6, -0.08), 0.03)), dark * 0.5)
    scene.paint(cover(pair(body, (0.42, 0.35), (0.5, 0.82), 0.1)), dark)


def _perch(scene: Scene, body: Frame, where: Array) -> None:
    """The branch under a bird and its two legs, in the images `where` is 1."""
    ends = (-3.0, scene.between(0.4, 0.8)), (3.0, scene.between(0.4, 0.9))
    branch = limb(body, *ends, scene.between(0.05, 0.12))
    legs = union(limb(body, (0.05, 0.3), (0.05, 0.65), 0.03), limb(body, (-0.15, 0.3), (-0.15, 0.65), 0.03))
    scene.paint(cover(union(branch, legs)) * where, scene.colour(BROWN, BARK))


def _head(scene: Scene) -> Frame:
    """Where the head of a cat or dog is: near the middle, a little tilted to either side."""
    centre = (scene.between(12, 20), scene.between(12, 18))
    return scene.frame(centre, scene.between(7.5, 11), tilt=scene.between(-0.15, 0.15))


def _shoulders(scene: Scene, head: Frame, colour: Array) -> None:
    """The body below a head, a little to one side."""
    radii = (scene.between(0.8, 1.2), 0.9)
    scene.paint(cover(ellipse(head, (scene.between(-0.4, 0.4), 1.55), radii)), colour)


def _eyes(scene: Scene, head: Frame, height: float, apart: float, pupil: float, iris: Array) -> None:
    """Two eyes of colour `iris` at u = ±`apart`; `pupil` is the half-width of the slit or disc."""
    scene.paint(cover(twins(head, (apart, height), (0.17, 0.15))), iris)
    scene.paint(cover(twins(head, (apart, height), (pupil, 0.13))), scene.colour(BLACK))


def _standing(
    scene: Scene, height: tuple[float, float], floor: tuple[float, float], scale: tuple[float, float]
) -> tuple[Frame, Array]:
    """The frame of a four-legged animal, and the v of its feet, which stand on `floor` (pixels from the top)."""
    foot, size = scene.between(*height), scene.between(*scale)
    centre = (scene.between(13, 19), scene.between(*floor) - foot * size)
    return scene.frame(centre, size, scene.facing()), foot


def _legs(scene: Scene, beast: Frame, thick: float, foot: Number, stance: float) -> Array:
    """Distance to four legs that end at v = `foot`, each at a step of its own."""
    hips = [stance * place for place in (-0.85, -0.6, 0.6, 0.85)]
    feet = [hip + scene.between(-0.12, 0.12) for hip in hips]
    ends = zip(hips, feet, strict=True)
    return union(*(limb(beast, (hip, 0.0), (end, foot), thick * 1.3, thick * 0.7) for hip, end in ends))
