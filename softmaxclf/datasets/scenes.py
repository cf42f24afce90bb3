"""The ten scenes of the built-in sample: what stands in them, where, how large, in which colours, before which background.

Each painter takes a Scene (n empty images) and paints one class. Positions are pixels, lengths inside a frame are units of the
object's own scale. Confusions are meant: automobile and truck share the street, cat and dog the room, deer and horse
wood and meadow, airplane, bird and ship a blue half.
"""

import numpy as np

from softmaxclf.datasets.drawing import (
    SIDE,
    Array,
    Colour,
    Frame,
    Scene,
    box,
    cover,
    ellipse,
    limb,
    polygon,
    smooth_noise,
    union,
)

WHITE, BLACK, GREY = (0.93, 0.93, 0.93), (0.1, 0.1, 0.12), (0.55, 0.56, 0.58)
RED, BLUE, YELLOW, ORANGE = (0.8, 0.13, 0.12), (0.15, 0.3, 0.7), (0.93, 0.78, 0.2), (0.9, 0.5, 0.18)
BROWN, CHESTNUT, TAN, CREAM = (0.42, 0.27, 0.16), (0.55, 0.28, 0.14), (0.76, 0.6, 0.4), (0.93, 0.86, 0.72)
GRASS, LEAF, OLIVE, DARK_GREEN = (0.36, 0.6, 0.22), (0.28, 0.62, 0.2), (0.45, 0.48, 0.18), (0.12, 0.26, 0.12)
SKIES = ((0.32, 0.58, 0.92), (0.38, 0.62, 0.92), (0.5, 0.7, 0.95), (0.6, 0.74, 0.9), (0.72, 0.74, 0.78), (0.88, 0.66, 0.52), (0.2, 0.27, 0.46))
SEAS = ((0.12, 0.33, 0.55), (0.1, 0.42, 0.5), (0.3, 0.4, 0.48), (0.08, 0.18, 0.34))
ROOMS = ((0.72, 0.64, 0.52), (0.5, 0.55, 0.62), (0.78, 0.74, 0.7), (0.5, 0.32, 0.26), (0.4, 0.5, 0.4), (0.3, 0.28, 0.3))
CARS = (RED, RED, BLUE, WHITE, GREY, YELLOW, (0.12, 0.4, 0.25), (0.2, 0.2, 0.24), (0.35, 0.55, 0.75))


# Backgrounds


def sky(scene: Scene, clouds: int = 3) -> None:
    """Fill the images with a sky, paler to the horizon, and a few soft clouds."""
    top = scene.colour(*SKIES)
    scene.pixels += top + (np.float32(0.92) - top) * (scene.y / SIDE * scene.between(0.2, 0.7))[:, None]
    white = scene.colour(WHITE, (0.8, 0.8, 0.84))
    for _ in range(clouds):
        frame = scene.frame((scene.between(0, 32), scene.between(0, 32)), scene.between(3, 8))
        cloud = ellipse(frame, (0.0, 0.0), (scene.between(0.9, 1.6), scene.between(0.25, 0.5)))
        scene.paint(cover(cloud, 5.0) * scene.between(0.0, 0.9), white)


def ground(scene: Scene, horizon: Array, colour: Array) -> None:
    """Paint all below `horizon` (pixels from the top), darker towards the viewer."""
    shade = 1 - (scene.y - horizon) / SIDE * scene.between(0.0, 0.5)
    scene.paint(cover(horizon - scene.y, scene.between(1, 3)), colour * shade[:, None])


def bushes(scene: Scene, horizon: Array, colour: Array, count: int = 4) -> None:
    """Round tree tops in a row along `horizon`."""
    crowns = []
    for _ in range(count):
        frame = scene.frame((scene.between(0, 32), horizon), scene.between(3, 7))
        crowns.append(ellipse(frame, (0.0, 0.0), (1.0, scene.between(0.4, 1.0))))
    scene.paint(cover(union(*crowns), 2.0) * scene.chance(0.7), colour)


def trunks(scene: Scene, share: float) -> None:
    """Up to three tree trunks from top to bottom, in a `share` of the images."""
    bark = scene.colour((0.3, 0.22, 0.15), (0.45, 0.4, 0.34), (0.18, 0.14, 0.1))
    wood = [scene.between(0.6, 2.2), scene.between(0.6, 2.2), scene.between(0.4, 1.5)]
    masks = [cover(np.abs(scene.x - scene.between(0, 32)) - width) for width in wood]
    scene.paint(np.maximum(np.maximum(masks[0], masks[1]), masks[2]) * scene.chance(share), bark)


def street(scene: Scene) -> Array:
    """Sky, houses or trees, and a road. Returns the height on which wheels stand, pixels."""
    sky(scene, clouds=1)
    horizon = scene.between(12, 18)
    for _ in range(3):
        left, width, height = scene.between(-4, 30), scene.between(4, 12), scene.between(3, 15)
        house = np.maximum(np.abs(scene.x - left - width / 2) - width / 2, horizon - height - scene.y)
        scene.paint(cover(house) * scene.chance(0.6), scene.colour(*ROOMS, GREY))
    bushes(scene, horizon, scene.colour(DARK_GREEN, GRASS, OLIVE), 2)
    ground(scene, horizon, scene.colour(GREY, (0.4, 0.4, 0.42), (0.5, 0.46, 0.4), GRASS))
    floor = scene.between(22, 27)
    lane = np.abs(scene.y - floor - scene.between(2, 4)) - scene.between(0.2, 0.6)
    scene.paint(cover(lane) * scene.chance(0.6), scene.colour(WHITE, YELLOW))
    return floor


def room(scene: Scene, outdoors: float) -> None:
    """A wall with a window or picture and a floor or sofa; a garden in a share `outdoors` of the images."""
    scene.pixels += scene.colour(*ROOMS)
    for _ in range(2):
        frame = scene.frame((scene.between(0, 32), scene.between(0, 20)), scene.between(3, 9))
        panel = box(frame, -1.0, -scene.between(0.5, 1.6), 1.0, scene.between(0.5, 1.6))
        scene.paint(cover(panel) * scene.chance(0.6), scene.colour(*ROOMS, *SKIES, RED, BLUE))
    ground(scene, scene.between(16, 30), scene.colour(*ROOMS, BROWN, CREAM))
    garden = scene.chance(outdoors)
    scene.paint(garden * cover(-1 - 0 * scene.y), scene.colour(GRASS, LEAF, OLIVE, DARK_GREEN))
    scene.paint(garden * cover(scene.y - scene.between(2, 14), 4.0), scene.colour(*SKIES, DARK_GREEN))


def country(scene: Scene, wood: float) -> None:
    """Sky, trees and a meadow; dark wood with trunks in a share `wood` of the images."""
    sky(scene, clouds=2)
    horizon = scene.between(6, 18)
    bushes(scene, horizon, scene.colour(DARK_GREEN, OLIVE, (0.2, 0.35, 0.2)))
    forest = scene.chance(wood)
    scene.paint(forest * cover(-1 - 0 * scene.y), scene.colour(DARK_GREEN, (0.25, 0.24, 0.14), OLIVE, (0.4, 0.45, 0.35)))
    scene.paint(forest * smooth_noise(scene, 6) * 0.6, scene.colour(LEAF, DARK_GREEN, (0.5, 0.4, 0.2)))
    ground(scene, horizon + 8 * forest, scene.colour(GRASS, LEAF, OLIVE, (0.62, 0.56, 0.32), (0.5, 0.42, 0.28)))
    trunks(scene, wood * 0.8)


# Things that drive, float and fly


def airplane(scene: Scene) -> None:
    """A jet in the sky or above a runway, nose up or down by some twenty degrees."""
    sky(scene)
    ground(scene, scene.between(22, 50), scene.colour(GREY, GRASS, *SEAS))
    plane = scene.frame(
        (scene.between(13, 19), scene.between(11, 20)), scene.between(10, 14.5), scene.side(), scene.between(-0.16, 0.13)
    )
    paint, trim = scene.colour(WHITE, WHITE, GREY, (0.75, 0.78, 0.82), YELLOW), scene.colour(RED, BLUE, ORANGE, GREY)
    sweep = scene.between(-0.15, 0.15)
    far_wing = polygon(plane, (0.15, -0.05), (-0.15, -0.05), (-0.4 + sweep, -0.5), (-0.25 + sweep, -0.5))
    fin = polygon(plane, (-0.6, -0.05), (-1.0, -0.05), (-1.15, -0.55), (-0.9, -0.55))
    scene.paint(cover(union(far_wing, fin)), trim)
    hull = union(limb(plane, (-0.95, -0.02), (0.0, 0.02), 0.07, 0.17), limb(plane, (0.0, 0.02), (0.85, 0.02), 0.17, 0.13))
    scene.paint(cover(hull), shaded(plane, paint, 0.9))
    windows = box(plane, -0.6, -0.08, 0.8, 0.0)
    scene.paint(cover(windows) * 0.8, scene.colour((0.2, 0.25, 0.35)))
    wing = polygon(plane, (0.3, 0.06), (-0.35 + sweep, 0.7), (-0.55 + sweep, 0.7), (-0.25, 0.06))
    tail = polygon(plane, (-0.7, -0.02), (-0.95, 0.22), (-1.1, 0.22), (-1.0, -0.02))
    scene.paint(cover(union(wing, tail)), paint * scene.between(0.55, 0.85)[:, None])
    engine = limb(plane, (-0.1 + sweep, 0.32), (0.15 + sweep, 0.32), 0.09)
    scene.paint(cover(engine), trim * 0.7)


def wheels(scene: Scene, frame: Frame, radius: Array, *places: float) -> None:
    """Tyres with bright hubs that stand on v = 0."""
    tyres = union(*(ellipse(frame, (place, -radius), (radius, radius)) for place in places))
    scene.paint(cover(tyres), scene.colour(BLACK))
    hubs = tyres + radius * frame.scale * 0.55
    scene.paint(cover(hubs), scene.colour(GREY, WHITE))


def automobile(scene: Scene) -> None:
    """A car from the side: body, cabin with two windows, lamps, two wheels."""
    floor = street(scene)
    car = scene.frame((scene.between(13, 19), floor), scene.between(11, 14), scene.side())
    paint, roof = scene.colour(*CARS), -scene.between(0.78, 0.98)
    scene.paint(cover(ellipse(car, (0.0, 0.02), (1.1, 0.1)), 2.0) * 0.6, scene.colour(BLACK))
    rear = -scene.between(0.5, 0.9)
    cabin = polygon(car, (0.62, -0.5), (rear - 0.1, -0.5), (rear + 0.1, roof), (0.25, roof))
    scene.paint(cover(cabin), paint * 0.85)
    glass = polygon(car, (0.5, -0.52), (rear + 0.03, -0.52), (rear + 0.16, roof + 0.08), (0.22, roof + 0.08))
    pillar = cover(np.abs(car.u + 0.12) * car.scale - 0.5)
    scene.paint(cover(glass) * (1 - pillar), scene.colour((0.6, 0.75, 0.85), (0.2, 0.25, 0.3)))
    body = union(limb(car, (-0.85, -0.38), (0.85, -0.35), 0.17), box(car, -0.98, -0.38, 1.0, -0.14))
    scene.paint(cover(body), shaded(car, paint, 0.5, -0.35))
    scene.paint(cover(ellipse(car, (0.95, -0.36), (0.09, 0.08))), scene.colour((1.0, 0.95, 0.7)))
    scene.paint(cover(ellipse(car, (-0.97, -0.36), (0.07, 0.08))), scene.colour(RED))
    wheels(scene, car, scene.between(0.2, 0.26), -0.58, 0.6)


def truck(scene: Scene) -> None:
    """A lorry from the side: a high box, a cab with a window, three wheels."""
    floor = street(scene)
    lorry = scene.frame((scene.between(13, 19), floor), scene.between(11, 14.5), scene.side())
    paint, load = scene.colour(*CARS), scene.colour(WHITE, GREY, *CARS, ORANGE, TAN)
    scene.paint(cover(ellipse(lorry, (0.0, 0.02), (1.1, 0.1)), 2.0) * 0.6, scene.colour(BLACK))
    top, cab_top = -scene.between(0.95, 1.5), -scene.between(0.85, 1.15)
    scene.paint(cover(box(lorry, -1.0, -0.3, 0.95, -0.14)), scene.colour(BLACK))
    scene.paint(cover(box(lorry, -1.05, top, 0.35, -0.26)), shaded(lorry, load, 0.25, -0.6))
    stripe = cover(box(lorry, -1.05, top * 0.75, 0.35, top * 0.55)) * scene.chance(0.5)
    scene.paint(stripe, scene.colour(*CARS))
    cab = polygon(lorry, (1.02, -0.16), (0.42, -0.16), (0.42, cab_top), (0.82, cab_top), (1.02, -0.5))
    scene.paint(cover(cab), paint)
    window = polygon(lorry, (0.94, -0.54), (0.58, -0.54), (0.58, cab_top + 0.1), (0.8, cab_top + 0.1))
    scene.paint(cover(window), scene.colour((0.6, 0.75, 0.85), (0.2, 0.25, 0.3)))
    wheels(scene, lorry, scene.between(0.17, 0.23), -0.75, -0.3, 0.7)


def ship(scene: Scene) -> None:
    """A steamer or a sailing boat on the water, with horizon and waves."""
    sky(scene, clouds=2)
    horizon = scene.between(12, 21)
    ground(scene, horizon, scene.colour(*SEAS))
    deck = horizon + scene.between(-1, 5)
    boat = scene.frame((scene.between(11, 21), deck), scene.between(9, 15), scene.side())
    sails = scene.chance(0.35)
    mast = -scene.between(0.9, 1.4)
    pole = limb(boat, (0.05, 0.0), (0.05, mast), 0.035)
    scene.paint(cover(pole), scene.colour(BROWN, GREY, BLACK))
    main = polygon(boat, (0.0, -0.08), (-0.65, -0.08), (0.0, mast))
    jib = polygon(boat, (0.8, -0.08), (0.12, -0.08), (0.1, mast * 0.9))
    scene.paint(cover(union(main, jib)) * sails, scene.colour(WHITE, CREAM, RED, ORANGE))
    steam = 1 - sails
    stern, height = -scene.between(0.5, 0.75), -scene.between(0.3, 0.55)
    house = union(box(boat, stern, height, 0.2, 0.05), box(boat, stern + 0.15, height - 0.2, -0.05, 0.05))
    scene.paint(cover(house) * steam, scene.colour(WHITE, CREAM, GREY))
    portholes = cover(np.abs(boat.v - height * 0.5) * boat.scale - 0.5) * cover(box(boat, stern + 0.05, -1, 0.12, 1))
    scene.paint(portholes * steam, scene.colour((0.2, 0.25, 0.35)))
    funnel = box(boat, -0.35, height - 0.5, -0.17, height - 0.1)
    scene.paint(cover(funnel) * steam, scene.colour(RED, BLACK, ORANGE, BLUE))
    hull = polygon(boat, (0.75, 0.32), (-0.85, 0.32), (-1.0, 0.0), (1.1, -0.06))
    scene.paint(cover(hull), scene.colour(RED, BLACK, BLUE, WHITE, BROWN, GREY))
    scene.paint(cover(box(boat, -0.9, 0.28, 0.85, 0.36)) * 0.8, scene.colour(WHITE, RED))
    waves(scene, deck + 0.45 * boat.scale)


def waves(scene: Scene, top: Array) -> None:
    """Short bright crests on the water below `top`."""
    crests = []
    for _ in range(4):
        frame = scene.frame((scene.between(0, 32), top + scene.between(0, 10)), scene.between(2, 6))
        crests.append(ellipse(frame, (0.0, 0.0), (1.0, 0.12)))
    scene.paint(cover(union(*crests), 1.5) * scene.between(0.2, 0.7), scene.colour(WHITE, (0.6, 0.75, 0.85)))


def bird(scene: Scene) -> None:
    """A small bird, on a branch before leaves or in flight before the sky."""
    sky(scene, clouds=2)
    leafy = scene.chance(0.5)
    scene.paint(leafy * cover(-1 - 0 * scene.y), scene.colour(DARK_GREEN, LEAF, OLIVE, (0.55, 0.6, 0.45)))
    scene.paint(leafy * smooth_noise(scene, 5) * 0.7, scene.colour(LEAF, DARK_GREEN, *SKIES))
    flying = scene.chance(0.4)
    body = scene.frame(
        (scene.between(13, 19), scene.between(13, 19)), scene.between(9, 12.5), scene.side(), scene.between(-0.3, 0.05)
    )
    branch = limb(body, (-3.0, scene.between(0.4, 0.8)), (3.0, scene.between(0.4, 0.9)), scene.between(0.05, 0.12))
    legs = union(limb(body, (0.05, 0.3), (0.05, 0.65), 0.03), limb(body, (-0.15, 0.3), (-0.15, 0.65), 0.03))
    scene.paint(cover(union(branch, legs)) * (1 - flying), scene.colour(BROWN, (0.3, 0.22, 0.15)))
    coat = scene.colour(BROWN, BLUE, RED, YELLOW, BLACK, GREY, WHITE, TAN)
    dark = coat * scene.between(0.45, 0.75)[:, None]
    far_wing = polygon(body, (0.35, -0.1), (-0.2, -0.1), (-0.35, -0.95), (-0.15, -1.0))
    scene.paint(cover(far_wing) * flying, dark * 0.8)
    tail = polygon(body, (-0.4, 0.1), (-1.1, 0.3), (-1.15, 0.05), (-0.45, -0.15))
    scene.paint(cover(tail), dark)
    trunk = union(ellipse(body, (0.0, 0.0), (0.58, 0.34)), ellipse(body, (0.55, -0.28), (0.26, 0.25)))
    scene.paint(cover(trunk), coat)
    scene.paint(cover(ellipse(body, (0.2, 0.15), (0.35, 0.2)), 3.0) * 0.8, scene.colour(WHITE, CREAM, ORANGE))
    beak = polygon(body, (0.76, -0.16), (0.76, -0.38), (1.08, -0.24))
    scene.paint(cover(beak), scene.colour(ORANGE, YELLOW, (0.3, 0.25, 0.2)))
    scene.paint(cover(ellipse(body, (0.62, -0.33), (0.07, 0.07))), scene.colour(BLACK))
    folded = ellipse(body, (-0.2, -0.03), (0.45, 0.2))
    spread = polygon(body, (0.3, 0.0), (-0.3, 0.0), (-0.75, -0.85), (-0.5, -0.95))
    scene.paint(cover(folded) * (1 - flying) + cover(spread) * flying, dark)


# Animals


def shaded(frame: Frame, colour: Array, strength: float, middle: float = 0.0) -> Array:
    """`colour` (n, 3, h, w), lighter above v = `middle` and darker below, by `strength` per unit of v."""
    return np.asarray(colour * np.clip(1 - strength * (frame.v - middle), 0.4, 1.35)[:, None])


def head_frame(scene: Scene) -> Frame:
    """Where the head of a cat or dog is: near the middle, a little tilted to either side."""
    centre = (scene.between(12, 20), scene.between(12, 18))
    return scene.frame(centre, scene.between(7.5, 11), 1.0, scene.between(-0.15, 0.15))


def eyes(scene: Scene, head: Frame, height: float, apart: float, colour: Array, pupil: float) -> None:
    """Two eyes; `pupil` is the half-width of the slit or disc."""
    iris = [ellipse(head, (side * apart, height), (0.17, 0.15)) for side in (-1, 1)]
    scene.paint(cover(union(*iris)), colour)
    holes = [ellipse(head, (side * apart, height), (pupil, 0.13)) for side in (-1, 1)]
    scene.paint(cover(union(*holes)), scene.colour(BLACK))


def cat(scene: Scene) -> None:
    """The head of a cat: pointed ears, slit eyes, small nose, often stripes."""
    room(scene, 0.25)
    head = head_frame(scene)
    coat = scene.colour(ORANGE, GREY, BLACK, WHITE, CREAM, BROWN, TAN)
    dark = coat * scene.between(0.4, 0.8)[:, None]
    shoulders = ellipse(head, (scene.between(-0.4, 0.4), 1.5), (scene.between(0.8, 1.2), 0.9))
    scene.paint(cover(shoulders), dark)
    tip = scene.between(-1.4, -1.1)
    left = polygon(head, (-0.15, -0.6), (-0.85, -0.2), (-0.85, tip))
    right = polygon(head, (0.85, -0.2), (0.15, -0.6), (0.85, tip))
    skull = ellipse(head, (0.0, 0.0), (scene.between(0.88, 1.0), scene.between(0.75, 0.85)))
    scene.paint(cover(union(left, right, skull)), shaded(head, coat, 0.15))
    inner = union(left, right) + 0.14 * head.scale
    scene.paint(cover(inner), scene.colour((0.85, 0.55, 0.52)))
    stripes = union(*(limb(head, (place, -0.75), (place * 0.7, -0.4), 0.05) for place in (-0.25, 0.0, 0.25)))
    scene.paint(cover(stripes) * scene.chance(0.6), dark)
    eyes(scene, head, -0.1, 0.42, scene.colour((0.6, 0.75, 0.25), YELLOW, (0.4, 0.65, 0.75)), 0.06)
    muzzle = union(ellipse(head, (-0.18, 0.38), (0.22, 0.18)), ellipse(head, (0.18, 0.38), (0.22, 0.18)))
    scene.paint(cover(muzzle) * scene.between(0.2, 0.9), scene.colour(WHITE, CREAM))
    scene.paint(cover(polygon(head, (0.0, 0.34), (-0.13, 0.2), (0.13, 0.2))), scene.colour((0.8, 0.45, 0.45), BLACK))


def dog(scene: Scene) -> None:
    """The head of a dog: hanging ears, round eyes, long muzzle with a large nose, sometimes a tongue."""
    room(scene, 0.45)
    head = head_frame(scene)
    coat = scene.colour(BROWN, TAN, WHITE, BLACK, CHESTNUT, CREAM, GREY)
    dark = coat * scene.between(0.4, 0.8)[:, None]
    shoulders = ellipse(head, (scene.between(-0.4, 0.4), 1.6), (scene.between(0.8, 1.2), 0.9))
    scene.paint(cover(shoulders), dark)
    skull = ellipse(head, (0.0, -0.05), (scene.between(0.7, 0.82), scene.between(0.8, 0.95)))
    scene.paint(cover(skull), shaded(head, coat, 0.15))
    drop = scene.between(0.35, 0.7)
    ears = union(*(limb(head, (side * 0.62, -0.6), (side * 0.98, drop - 0.1), 0.14, 0.24) for side in (-1, 1)))
    scene.paint(cover(ears), dark)
    tongue = limb(head, (0.0, 0.75), (0.0, 0.98), 0.13)
    scene.paint(cover(tongue) * scene.chance(0.4), scene.colour((0.9, 0.45, 0.5)))
    muzzle = ellipse(head, (0.0, 0.42), (0.42, 0.42))
    scene.paint(cover(muzzle) * scene.between(0.4, 1.0), scene.colour(WHITE, CREAM, TAN))
    eyes(scene, head, -0.15, 0.35, scene.colour((0.35, 0.22, 0.12)), 0.09)
    scene.paint(cover(ellipse(head, (0.0, 0.24), (0.2, 0.15))), scene.colour(BLACK))


def legs(scene: Scene, beast: Frame, thick: float, foot: Array, stance: float) -> Array:
    """Distance to four legs that end at v = `foot`, each at a step of its own."""
    places = (-0.85, -0.6, 0.6, 0.85)
    return union(
        *(
            limb(beast, (place * stance, 0.0), (place * stance + scene.between(-0.12, 0.12), foot), thick * 1.3, thick * 0.7)
            for place in places
        )
    )


def deer(scene: Scene) -> None:
    """A brown, slender body, upright neck and antlers, in a wood or on a meadow, facing left or right."""
    country(scene, 0.7)
    foot = scene.between(0.8, 1.0)
    scale = scene.between(9, 13)
    beast = scene.frame((scene.between(13, 18), scene.between(24, 28) - foot * scale), scale, scene.side())
    coat = scene.colour(BROWN, CHESTNUT, (0.62, 0.42, 0.24), TAN, light=0.08)
    horn = union(
        *(
            limb(beast, start, end, 0.05)
            for start, end in (
                ((0.62, -0.75), (0.5, -1.2)),
                ((0.5, -1.2), (0.65, -1.45)),
                ((0.55, -1.0), (0.3, -1.2)),
                ((0.72, -0.78), (0.85, -1.15)),
                ((0.85, -1.15), (0.78, -1.4)),
                ((0.8, -1.0), (1.05, -1.15)),
            )
        )
    )
    scene.paint(cover(horn) * scene.chance(0.75), scene.colour(CREAM, TAN, (0.4, 0.3, 0.2)))
    scene.paint(cover(legs(scene, beast, 0.07, foot, 0.55)), coat * 0.75)
    ear = limb(beast, (0.58, -0.72), (0.4, -0.8), 0.07)
    neck = limb(beast, (0.42, -0.08), (0.63, -0.6), 0.18, 0.12)
    face = limb(beast, (0.64, -0.66), (0.92, -0.55), 0.14, 0.08)
    trunk = ellipse(beast, (0.0, 0.02), (0.6, scene.between(0.24, 0.3)))
    scene.paint(cover(union(trunk, neck, face, ear)), shaded(beast, coat, 0.35))
    scene.paint(cover(ellipse(beast, (-0.6, 0.0), (0.1, 0.14))), scene.colour(WHITE, CREAM))
    scene.paint(cover(ellipse(beast, (0.7, -0.69), (0.04, 0.04))), scene.colour(BLACK))


def horse(scene: Scene) -> None:
    """A heavy body with arched neck, mane and long tail, on a meadow, facing left or right."""
    country(scene, 0.2)
    foot = scene.between(0.8, 0.95)
    scale = scene.between(10, 14)
    beast = scene.frame((scene.between(13, 19), scene.between(25, 29) - foot * scale), scale, scene.side())
    coat = scene.colour(BROWN, CHESTNUT, BLACK, (0.35, 0.2, 0.12), WHITE, GREY, TAN)
    hair = scene.colour(BLACK, (0.25, 0.17, 0.1), CREAM)
    tail = limb(beast, (-0.62, -0.1), (-0.85, scene.between(0.4, 0.7)), 0.09, 0.13)
    scene.paint(cover(tail), hair)
    scene.paint(cover(legs(scene, beast, 0.1, foot, 0.62)), coat * 0.75)
    raised = scene.between(-0.15, 0.25)
    neck = limb(beast, (0.48, -0.12), (0.75, -0.62 + raised), 0.24, 0.15)
    face = limb(beast, (0.76, -0.68 + raised), (1.05, -0.38 + raised), 0.14, 0.1)
    ear = limb(beast, (0.7, -0.75 + raised), (0.72, -0.92 + raised), 0.05)
    trunk = ellipse(beast, (0.0, 0.0), (0.7, scene.between(0.3, 0.36)))
    scene.paint(cover(union(trunk, neck, face, ear)), shaded(beast, coat, 0.35))
    mane = limb(beast, (0.4, -0.35), (0.62, -0.8 + raised), 0.09)
    scene.paint(cover(mane), hair)
    scene.paint(cover(ellipse(beast, (0.82, -0.68 + raised), (0.04, 0.04))), scene.colour(BLACK))


def frog(scene: Scene) -> None:
    """A crouching frog with bulging eyes and a wide mouth, on a leaf in a pond or on the ground."""
    scene.pixels += scene.colour(*SEAS, OLIVE, BROWN, DARK_GREEN, TAN)
    scene.paint(smooth_noise(scene, 5) * scene.between(0.2, 0.8), scene.colour(*SEAS, OLIVE, DARK_GREEN, LEAF, GREY))
    body = scene.frame((scene.between(12, 20), scene.between(14, 22)), scene.between(9, 13), 1.0, scene.between(-0.1, 0.1))
    pad = ellipse(body, (scene.between(-0.4, 0.4), 0.75), (scene.between(1.2, 1.8), 0.4))
    scene.paint(cover(pad) * scene.chance(0.6), scene.colour(GRASS, DARK_GREEN, OLIVE))
    coat = scene.colour(LEAF, GRASS, OLIVE, (0.3, 0.45, 0.15), BROWN, spread=0.1)
    dark = coat * scene.between(0.55, 0.85)[:, None]
    thighs = union(*(ellipse(body, (side * 0.72, 0.45), (0.38, 0.32)) for side in (-1, 1)))
    feet = union(*(limb(body, (side * 0.7, 0.78), (side * 1.1, 0.82), 0.08) for side in (-1, 1)))
    scene.paint(cover(union(thighs, feet)), dark)
    bumps = union(*(ellipse(body, (side * 0.45, -0.5), (0.25, 0.25)) for side in (-1, 1)))
    trunk = union(ellipse(body, (0.0, 0.25), (0.75, 0.55)), ellipse(body, (0.0, -0.15), (0.78, 0.42)), bumps)
    scene.paint(cover(trunk), shaded(body, coat, 0.25))
    scene.paint(cover(ellipse(body, (0.0, 0.45), (0.45, 0.33)), 3.0) * 0.8, scene.colour(CREAM, (0.8, 0.85, 0.5)))
    eyes(scene, body, -0.52, 0.45, scene.colour(YELLOW, WHITE, ORANGE), 0.09)
    mouth = union(limb(body, (-0.6, -0.08), (0.0, 0.05), 0.03), limb(body, (0.0, 0.05), (0.6, -0.08), 0.03))
    scene.paint(cover(mouth), dark * 0.5)
    arms = union(*(limb(body, (side * 0.42, 0.35), (side * 0.5, 0.82), 0.1) for side in (-1, 1)))
    scene.paint(cover(arms), dark)
