"""Painters of the classes that drive, float and fly by engine: airplane, automobile, ship, truck.

Each paints n empty images. Lengths inside a frame are units of the object's scale, so that an object spans about
-1 to 1. Automobile and truck share the street, airplane and ship a blue half.
"""

import numpy as np

from softmaxclf.datasets.scenes.drawing import (
    Array,
    Frame,
    Scene,
    box,
    cover,
    darker,
    ellipse,
    limb,
    polygon,
    shaded,
    union,
)
from softmaxclf.datasets.scenes.scenery import (
    BLACK,
    BLUE,
    BROWN,
    CREAM,
    GLASS,
    GRASS,
    GREY,
    ORANGE,
    RED,
    SEAS,
    TAN,
    WHITE,
    YELLOW,
    ground,
    sky,
    street,
    waves,
)

PAINTS = (RED, RED, BLUE, WHITE, GREY, YELLOW, (0.12, 0.4, 0.25), (0.2, 0.2, 0.24), (0.35, 0.55, 0.75))
PANE = (0.2, 0.25, 0.35)


def airplane(scene: Scene) -> None:
    """A jet in the sky or above a runway or the sea, its nose up or down by up to eighteen degrees."""
    sky(scene, clouds=3)
    ground(scene, scene.between(22, 50), scene.colour(GREY, GRASS, *SEAS))
    centre = (scene.between(12, 20), scene.between(10, 21))
    plane = scene.frame(centre, scene.between(10, 14.5), scene.facing(), scene.between(-0.16, 0.13))
    paint = scene.colour(WHITE, WHITE, GREY, (0.8, 0.83, 0.87), YELLOW, spread=0.05)
    trim = scene.colour(RED, BLUE, ORANGE, (0.3, 0.3, 0.34))
    sweep = scene.between(-0.15, 0.15)
    far_wing = polygon(plane, (0.15, -0.05), (-0.15, -0.05), (-0.4 + sweep, -0.5), (-0.25 + sweep, -0.5))
    fin = polygon(plane, (-0.6, -0.05), (-1.0, -0.05), (-1.15, -0.55), (-0.9, -0.55))
    scene.paint(cover(union(far_wing, fin)), trim)
    rear = limb(plane, (-0.95, -0.02), (0.0, 0.02), 0.07, 0.17)
    nose = limb(plane, (0.0, 0.02), (0.85, 0.02), 0.17, 0.13)
    scene.paint(cover(union(rear, nose)), shaded(plane, paint, 0.9))
    scene.paint(cover(box(plane, -0.6, -0.08, 0.8, 0.0)) * 0.8, scene.colour(PANE))
    wing = polygon(plane, (0.3, 0.06), (-0.35 + sweep, 0.7), (-0.55 + sweep, 0.7), (-0.25, 0.06))
    tail = polygon(plane, (-0.7, -0.02), (-0.95, 0.22), (-1.1, 0.22), (-1.0, -0.02))
    scene.paint(cover(union(wing, tail)), darker(scene, paint, 0.55, 0.85))
    scene.paint(cover(limb(plane, (-0.1 + sweep, 0.32), (0.15 + sweep, 0.32), 0.09)), trim * 0.7)


def automobile(scene: Scene) -> None:
    """A car from the side: body, cabin with two windows, lamps, two wheels."""
    floor = street(scene)
    car = scene.frame((scene.between(13, 19), floor), scene.between(11, 14), scene.facing())
    paint = scene.colour(*PAINTS)
    _shadow(scene, car)
    _cabin(scene, car, paint, -scene.between(0.5, 0.9), -scene.between(0.78, 0.98))
    body = union(limb(car, (-0.85, -0.38), (0.85, -0.35), 0.17), box(car, -0.98, -0.38, 1.0, -0.14))
    scene.paint(cover(body), shaded(car, paint, 0.5, -0.35))
    scene.paint(cover(ellipse(car, (0.95, -0.36), (0.09, 0.08))), scene.colour((1.0, 0.95, 0.7)))
    scene.paint(cover(ellipse(car, (-0.97, -0.36), (0.07, 0.08))), scene.colour(RED))
    _wheels(scene, car, scene.between(0.2, 0.26), -0.58, 0.6)


def truck(scene: Scene) -> None:
    """A lorry from the side: a high box, often with a stripe, a cab with a window, three wheels."""
    floor = street(scene)
    lorry = scene.frame((scene.between(13, 19), floor), scene.between(11, 14.5), scene.facing())
    paint, load = scene.colour(*PAINTS), scene.colour(WHITE, GREY, *PAINTS, ORANGE, TAN)
    _shadow(scene, lorry)
    top, cab_top = -scene.between(0.95, 1.5), -scene.between(0.85, 1.15)
    scene.paint(cover(box(lorry, -1.0, -0.3, 0.95, -0.14)), scene.colour(BLACK))
    scene.paint(cover(box(lorry, -1.05, top, 0.35, -0.26)), shaded(lorry, load, 0.25, -0.6))
    stripe = cover(box(lorry, -1.05, top * 0.75, 0.35, top * 0.55)) * scene.chance(0.5)
    scene.paint(stripe, scene.colour(*PAINTS))
    cab = polygon(lorry, (1.02, -0.16), (0.42, -0.16), (0.42, cab_top), (0.82, cab_top), (1.02, -0.5))
    scene.paint(cover(cab), paint)
    window = polygon(lorry, (0.94, -0.54), (0.58, -0.54), (0.58, cab_top + 0.1), (0.8, cab_top + 0.1))
    scene.paint(cover(window), scene.colour(*GLASS))
    _wheels(scene, lorry, scene.between(0.17, 0.23), -0.75, -0.3, 0.7)


def ship(scene: Scene) -> None:
    """A steamer, or a sailing boat in one image of three, on the water with horizon and waves."""
    sky(scene, clouds=2)
    horizon = scene.between(10, 23)
    ground(scene, horizon, scene.colour(*SEAS))
    deck = horizon + scene.between(-1, 5)
    boat = scene.frame((scene.between(11, 21), deck), scene.between(8, 15), scene.facing())
    sails, mast = scene.chance(0.35), -scene.between(0.9, 1.4)
    scene.paint(cover(limb(boat, (0.05, 0.0), (0.05, mast), 0.035)), scene.colour(BROWN, GREY, BLACK))
    _sails(scene, boat, sails, mast)
    _decks(scene, boat, 1 - sails, -scene.between(0.3, 0.55))
    hull = polygon(boat, (0.75, 0.32), (-0.85, 0.32), (-1.0, 0.0), (1.1, -0.06))
    scene.paint(cover(hull), scene.colour(RED, BLACK, BLUE, WHITE, BROWN, GREY))
    scene.paint(cover(box(boat, -0.9, 0.28, 0.85, 0.36)) * 0.8, scene.colour(WHITE, RED))
    waves(scene, deck + 0.45 * boat.scale)


def _shadow(scene: Scene, frame: Frame) -> None:
    """The soft shadow of a vehicle on the road."""
    scene.paint(cover(ellipse(frame, (0.0, 0.02), (1.1, 0.1)), 2.0) * 0.6, scene.colour(BLACK))


def _cabin(scene: Scene, car: Frame, paint: Array, rear: Array, roof: Array) -> None:
    """The upper part of a car, with two panes of glass and the pillar between them."""
    shape = polygon(car, (0.62, -0.5), (rear - 0.1, -0.5), (rear + 0.1, roof), (0.25, roof))
    scene.paint(cover(shape), paint * 0.85)
    pane = polygon(car, (0.5, -0.52), (rear + 0.03, -0.52), (rear + 0.16, roof + 0.08), (0.22, roof + 0.08))
    pillar = cover(np.abs(car.u + 0.12) * car.scale - 0.5)
    scene.paint(cover(pane) * (1 - pillar), scene.colour(*GLASS))


def _wheels(scene: Scene, frame: Frame, radius: Array, *places: float) -> None:
    """Tyres with bright hubs that stand on v = 0."""
    tyres = union(*(ellipse(frame, (place, -radius), (radius, radius)) for place in places))
    scene.paint(cover(tyres), scene.colour(BLACK))
    scene.paint(cover(tyres + radius * frame.scale * 0.55), scene.colour(GREY, WHITE))


def _sails(scene: Scene, boat: Frame, where: Array, mast: Array) -> None:
    """A main sail and a jib in the images `where` is 1."""
    main = polygon(boat, (0.0, -0.08), (-0.65, -0.08), (0.0, mast))
    jib = polygon(boat, (0.8, -0.08), (0.12, -0.08), (0.1, mast * 0.9))
    scene.paint(cover(union(main, jib)) * where, scene.colour(WHITE, CREAM, RED, ORANGE))


def _decks(scene: Scene, boat: Frame, where: Array, height: Array) -> None:
    """Two decks with portholes and a funnel in the images `where` is 1."""
    stern = -scene.between(0.5, 0.75)
    house = union(box(boat, stern, height, 0.2, 0.05), box(boat, stern + 0.15, height - 0.2, -0.05, 0.05))
    scene.paint(cover(house) * where, scene.colour(WHITE, CREAM, GREY))
    row = cover(np.abs(boat.v - height * 0.5) * boat.scale - 0.5)
    scene.paint(row * cover(box(boat, stern + 0.05, -1, 0.12, 1)) * where, scene.colour(PANE))
    funnel = box(boat, -0.35, height - 0.5, -0.17, height - 0.1)
    scene.paint(cover(funnel) * where, scene.colour(RED, BLACK, ORANGE, BLUE))
