"""Things that stand in more than one scene: roofs, trees, lanterns, fish, bowls, blossoms."""

from __future__ import annotations

from math import cos, pi, sin

from waon_build.demo.brushes import Canvas, Point, mix


def roof(c: Canvas, x: float, y: float, half: float, height: float, colour: str, flare: float = 0.25) -> None:
    """A tiled roof with its ends turned up. (x, y): middle of the eaves. half: of their width (share of x)."""
    slope = [
        (0.30, 1.0),
        (0.42, 0.6),
        (0.62, 0.28),
        (0.85, 0.08),
        (1.0, flare * 0.9),
        (1.0, flare * 0.45),
        (0.8, -0.08),
    ]
    left = [(x - half * u, y - height * v) for u, v in reversed(slope)]
    right = [(x + half * u, y - height * v) for u, v in slope]
    c.polygon([*left, *right], mix(colour, "#ffffff", 0.18), colour, mix(colour, "#000000", 0.35))
    for rib in range(-8, 9):
        u = rib / 8
        bottom = (x + half * u * 0.93, y - height * (0.02 + 0.16 * u * u))
        c.line([(x + half * u * 0.33, y - height * 0.94), bottom], 0.002, mix(colour, "#000000", 0.3))


def torii(c: Canvas, x: float, y: float, height: float, colour: str) -> None:
    """A shrine's gate. (x, y): middle of its foot. height: share of the picture's."""
    dark = mix(colour, "#000000", 0.45)
    wide = height * c.size[1] / c.size[0]
    for side in (-1, 1):
        foot, head = x + side * 0.44 * wide, x + side * 0.38 * wide
        c.polygon(
            [(head - 0.035 * wide, y - height * 0.9), (head + 0.035 * wide, y - height * 0.9),
             (foot + 0.045 * wide, y), (foot - 0.045 * wide, y)],
            colour, dark,
        )  # fmt: skip
    c.rect(x - 0.47 * wide, y - height * 0.74, x + 0.47 * wide, y - height * 0.67, colour, dark)
    c.rect(x - 0.03 * wide, y - height * 0.88, x + 0.03 * wide, y - height * 0.7, colour, dark)
    top = [(-0.66, 1.03), (-0.3, 0.965), (0, 0.955), (0.3, 0.965), (0.66, 1.03)]
    low = [(0.6, 0.93), (0.3, 0.88), (0, 0.87), (-0.3, 0.88), (-0.6, 0.93)]
    c.polygon([(x + u * wide, y - height * v) for u, v in [*top, *low]], mix(dark, "#000000", 0.3), colour, dark)


def branches(c: Canvas, x: float, y: float, length: float, angle: float, width: float, colour: str) -> list[Point]:
    """A tree from (x, y) upwards; returns the ends of its twigs. angle: degrees, 270 is straight up."""
    end = c.polar(x, y, length, angle)
    c.line([(x, y), end], width, colour)
    if length < 0.05:
        return [end]
    tips: list[Point] = []
    for bend in (c.between(-38, -14), c.between(12, 40)):
        tips += branches(c, *end, length * c.between(0.66, 0.82), angle + bend, width * 0.66, colour)
    return tips


def lantern(c: Canvas, x: float, y: float, radius: float, colour: str, light: float = 1.0) -> None:
    """A paper lantern, lit from inside."""
    c.glow(x, y, radius * 3.2, colour, 0.55 * light)
    c.ball(x, y, radius, mix(colour, "#fff4c0", 0.75 * light), colour, flat=1.25)
    for rib in range(-3, 4):
        arc = c.ring(x, y + rib * radius * 0.3, radius * cos(rib / 3.4 * pi / 2), radius * 0.12, steps=24, part=0.5)
        c.line(arc, 0.002, mix(colour, "#5a1000", 0.55))
    squeeze = c.size[1] / c.size[0]
    for side in (-1, 1):
        edge = y + side * radius * 1.18
        c.rect(x - radius * 0.42 * squeeze, edge - 0.008, x + radius * 0.42 * squeeze, edge + 0.008, "#1c1210")


def fish(c: Canvas, x: float, y: float, length: float, turn: float, colours: tuple[str, str], patches: int = 3) -> None:
    """A carp or goldfish from above, swimming towards `turn` degrees. colours: of the body, of the patches."""
    body, patch = colours
    tail = c.polar(x, y, length * 0.42, turn + 180)
    for spread in (-28, 28):
        c.oval(*c.polar(*tail, length * 0.13, turn + 180 + spread), length * 0.15, length * 0.045,
               mix(body, "#ffffff", 0.3), turn=turn + spread)  # fmt: skip
    for side in (-1, 1):
        fin = c.polar(*c.polar(x, y, length * 0.14, turn), length * 0.12, turn + 90 * side)
        c.oval(*fin, length * 0.09, length * 0.03, mix(body, "#ffffff", 0.4), turn=turn + side * 125)
    c.oval(x, y, length * 0.46, length * 0.125, mix(body, "#000000", 0.25), turn=turn)
    c.oval(x, y, length * 0.44, length * 0.105, body, turn=turn)
    for _ in range(patches):
        spot = c.polar(*c.polar(x, y, c.between(-0.3, 0.32) * length, turn), c.between(-0.03, 0.03) * length, turn + 90)
        c.oval(*spot, length * c.between(0.05, 0.1), length * c.between(0.04, 0.075), patch, turn=turn)
    c.line([c.polar(x, y, -length * 0.25, turn), c.polar(x, y, length * 0.2, turn)], length * 0.014,
           mix(body, "#ffffff", 0.5))  # fmt: skip


def bowl(c: Canvas, x: float, y: float, radius: float, colour: str, tilt: float = 0.42) -> None:
    """A bowl on a table, seen from in front and above: its wall, and its opening ready to be filled.
    tilt: height of the opening as a share of its width."""
    c.soft(c.ring(x, y + radius * 0.95, radius * 1.15, radius * 0.3), "#000000", 0.03, 0.5)
    wall = c.ring(x, y, radius, radius * 0.95, part=0.5)
    c.polygon(wall, colour, mix(colour, "#000000", 0.55))
    squeeze = c.size[1] / c.size[0]
    c.rect(x - radius * 0.4 * squeeze, y + radius * 0.85, x + radius * 0.4 * squeeze, y + radius * 1.02,
           mix(colour, "#000000", 0.5))  # fmt: skip
    c.oval(x, y, radius, radius * tilt, mix(colour, "#ffffff", 0.35), colour)
    c.oval(x, y, radius * 0.93, radius * tilt * 0.9, mix(colour, "#000000", 0.3))


def blossom(c: Canvas, x: float, y: float, radius: float, colour: str, heart: str, petals: int = 5) -> None:
    """A flower from in front."""
    start = c.between(0, 360)
    for petal in range(petals):
        angle = start + 360 * petal / petals
        c.oval(*c.polar(x, y, radius * 0.55, angle), radius * 0.5, radius * 0.36,
               mix(colour, "#ffffff", 0.25 * (petal % 2)), turn=angle)  # fmt: skip
    c.oval(x, y, radius * 0.2, radius * 0.2, heart)


def maple_leaf(c: Canvas, x: float, y: float, radius: float, turn: float, colour: str) -> None:
    """A leaf of seven fingers."""
    points = []
    for finger in range(-3, 4):
        points.append(c.polar(x, y, radius * 0.28, turn + finger * 40 - 20))
        points.append(c.polar(x, y, radius * (1 - 0.11 * abs(finger)), turn + finger * 40))
    points.append(c.polar(x, y, radius * 0.28, turn + 140))
    c.polygon(points, colour)
    c.line([(x, y), c.polar(x, y, radius * 0.8, turn + 180)], radius * 0.06, mix(colour, "#000000", 0.3))


def pine(c: Canvas, x: float, y: float, width: float, colour: str) -> None:
    """A cloud of needles, as pines are cut in gardens."""
    for dx, dy in c.scatter(46, -1, 1, -1, 1):
        px, py = x + dx * width * 0.5 * c.size[1] / c.size[0], y + dy * width * 0.14 * (1 - dx * dx)
        shade = mix(colour, "#dcefa0", c.between(0, 0.45) * (0.5 - dy / 2))
        c.line([(px, py), c.polar(px, py, width * c.between(0.05, 0.1), c.between(215, 325))], width * 0.018, shade)


def grass(c: Canvas, count: int, top: float, bottom: float, colours: tuple[str, str], length: float = 0.05) -> None:
    """Blades of grass over a band, longer the nearer they are."""
    for x, y in c.scatter(count, 0, 1, top, bottom):
        near = 0.3 + 0.7 * (y - top) / max(bottom - top, 1e-6)
        blade = c.polar(x, y, length * near * c.between(0.5, 1), c.between(250, 290))
        c.line([(x, y), blade], 0.004 * near, mix(*colours, c.between(0, 1)))


def windows(
    c: Canvas, left: float, top: float, right: float, bottom: float, columns: int, rows: int, lit: float
) -> None:
    """The windows of a building at night. lit: share of them."""
    for row in range(rows):
        for column in range(columns):
            x = left + (right - left) * (column + 0.5) / columns
            y = top + (bottom - top) * (row + 0.5) / rows
            colour = c.one_of(["#ffdf9a", "#ffe9bf", "#fff6e0", "#bfe0ff"]) if c.between(0, 1) < lit else "#1a2233"
            half_x, half_y = (right - left) / columns * 0.3, (bottom - top) / rows * 0.3
            c.rect(x - half_x, y - half_y, x + half_x, y + half_y, colour)


def wave(c: Canvas, y: float, height: float, length: float, phase: float, *colours: str) -> None:
    """Water with a waved surface, down to the bottom of the picture."""
    crest = [(step / 80, y + height * sin(2 * pi * (step / 80 / length + phase))) for step in range(81)]
    c.polygon([*crest, (1, 1.01), (0, 1.01)], *colours)
