"""Festivals and the days of the year."""

from __future__ import annotations

from math import sin

from waon_build.demo.brushes import Canvas, mix
from waon_build.demo.motifs import lantern, pine, windows


def lanterns(c: Canvas) -> None:
    c.gradient("#0f1230", "#2a1f48", "#4b2a3f", "#2a1820")
    c.glow(0.5, 0.85, 0.8, "#ff8a3a", 0.6)
    for x, y in c.scatter(60, 0, 1, 0.78, 1.0):
        c.oval(x, y, 0.03, 0.045, c.one_of(["#1b1424", "#241a2c", "#2c2030"]))
    for row, (top, size) in enumerate(((0.08, 0.075), (0.27, 0.06), (0.44, 0.045), (0.57, 0.034))):
        count = 6 + row * 2
        rope = [(step / 20, top + 0.07 * sin(3.14 * step / 20)) for step in range(21)]
        c.line(rope, 0.004, "#120c14")
        for number in range(count):
            x = (number + 0.5) / count
            y = top + 0.07 * sin(3.14 * x) + size * 1.2
            lantern(c, x, y, size, c.one_of(["#e8361f", "#e8361f", "#f0802a", "#f4e3c0"]))


def fireworks(c: Canvas) -> None:
    c.gradient("#02030f", "#0a1030", "#1c1d4a", bottom=0.8)
    bursts = [
        (0.3, 0.26, 0.24, "#ff5a4a"),
        (0.68, 0.2, 0.17, "#ffd24a"),
        (0.56, 0.5, 0.15, "#6ad0ff"),
        (0.85, 0.46, 0.13, "#c58aff"),
    ]
    for x, y, radius, colour in bursts:
        c.glow(x, y, radius * 1.9, colour, 0.55)
        for ray in range(46):
            angle, reach = ray * 360 / 46, radius * c.between(0.82, 1)
            c.line(
                [c.polar(x, y, reach * 0.25, angle), c.polar(x, y + 0.01, reach, angle)],
                0.004,
                mix(colour, "#ffffff", 0.3),
            )
            c.oval(*c.polar(x, y + 0.01, reach, angle), 0.008, 0.008, "#fff6d8")
        for ray in range(24):
            c.oval(*c.polar(x, y, radius * 0.5, ray * 15 + 4), 0.006, 0.006, mix(colour, "#ffffff", 0.7))
    for left in range(12):
        top = c.between(0.68, 0.76)
        c.rect(left / 12, top, (left + 1) / 12, 0.8, "#0d1024", "#070914")
        windows(c, left / 12 + 0.008, top + 0.01, (left + 1) / 12 - 0.008, 0.8, 5, 5, 0.4)
    c.mirror(0.8, 0.75, 0.01)


def tanabata(c: Canvas) -> None:
    c.gradient("#10204f", "#23408a", "#5a7fc0", "#b6cbe6")
    for x, y in c.scatter(60, 0, 1, 0, 0.6):
        c.oval(x, y, 0.003, 0.003, "#f2f6ff")
    for stem, bend in ((0.2, 0.3), (0.46, 0.16), (0.78, -0.2)):
        stalk = [(stem + bend * (step / 12) ** 2, 1.02 - 1.05 * step / 12) for step in range(13)]
        c.line(stalk, 0.016, "#5f8f3a")
        for x, y in stalk[3:]:
            for _ in range(5):
                leaf = c.polar(x, y, 0.06, c.between(0, 360))
                c.oval(*leaf, 0.075, 0.013, c.one_of(["#6fa544", "#8cbf56", "#4c8235"]), turn=c.between(10, 75))
    for x, y in c.scatter(24, 0.06, 0.96, 0.12, 0.76):
        colour = c.one_of(["#ef5b7a", "#f7c548", "#7ad0a4", "#f4efe6", "#b48ae0", "#5fb4ef"])
        lean = c.between(-0.03, 0.03)
        c.line([(x, y - 0.08), (x, y)], 0.002, "#f4efe6")
        c.polygon(
            [(x - 0.022, y), (x + 0.022, y), (x + 0.022 + lean, y + 0.2), (x - 0.022 + lean, y + 0.2)],
            mix(colour, "#ffffff", 0.3),
            colour,
        )


def koinobori(c: Canvas) -> None:
    c.gradient("#2f8fe0", "#6fb9f0", "#cfe9fa")
    c.clouds("#ffffff", 0.34, cells=(3, 3))
    c.line([(0.1, 0.0), (0.1, 1.0)], 0.022, "#d9d2c0")
    c.ball(0.1, 0.04, 0.04, "#ffe58a", "#c08a1a")
    for number, (y, length, colour) in enumerate(
        ((0.2, 0.72, "#20242c"), (0.46, 0.62, "#d83a2c"), (0.7, 0.5, "#2a62b8"))
    ):
        half = 0.1 - number * 0.015

        def edge(step: int, side: int, y: float = y, length: float = length, half: float = half) -> tuple[float, float]:
            u = step / 30
            wave = 0.05 * sin(5 * u + y * 9) * u
            return 0.13 + u * length, y + wave + side * half * (1 - 0.45 * u)

        upper, lower = [edge(step, -1) for step in range(31)], [edge(step, 1) for step in range(31)]
        tail = (0.13 + length * 1.0, (upper[-1][1] + lower[-1][1]) / 2)
        fins = [(tail[0] + 0.1, upper[-1][1] - 0.06), tail, (tail[0] + 0.1, lower[-1][1] + 0.06)]
        c.polygon([*upper, *fins, *reversed(lower)], mix(colour, "#ffffff", 0.35), colour, mix(colour, "#000000", 0.3))
        for column in range(7, 26, 3):
            for row in (-0.6, -0.1, 0.4):
                x, top = edge(column + (1 if row == -0.1 else 0), -1)
                scale = c.ring(
                    x, top + half * (1 + row) * (1 - 0.45 * column / 30) + half * 0.1, 0.034, 0.034, 270, part=0.5
                )
                c.line(scale, 0.007, "#f6f2e8")
        x, top = edge(4, -1)
        c.oval(x, top + half * 0.8, 0.042, 0.042, "#ffffff")
        c.oval(x, top + half * 0.8, 0.02, 0.02, "#15161a")
        c.oval(0.13, y, 0.015, half, "#f6f2e8")


def setsubun(c: Canvas) -> None:
    c.gradient("#4b3426", "#7a5436", "#5d3f29")
    c.texture(0.3, cells=(2, 22))
    c.soft([(0.16, 0.5), (0.86, 0.5), (0.9, 0.9), (0.2, 0.95)], "#1a0f08", 0.04, 0.7)
    c.polygon([(0.2, 0.36), (0.78, 0.36), (0.72, 0.86), (0.26, 0.86)], "#e7c48d", "#c2945a")
    c.polygon([(0.2, 0.36), (0.78, 0.36), (0.72, 0.22), (0.26, 0.22)], "#8f6538", "#b98a52")
    c.line([(0.2, 0.36), (0.78, 0.36)], 0.03, "#f3dcae")
    for x, y in c.scatter(120, 0.25, 0.73, 0.2, 0.36):
        c.ball(x, y, 0.036, "#f6dfa6", "#b98a45", flat=0.9)
    c.line([(0.45, 0.36), (0.43, 0.86)], 0.006, "#a97c46")
    for x, y in c.scatter(26, 0.02, 0.98, 0.88, 0.99):
        c.ball(x, y, 0.035, "#f6dfa6", "#a97c3d", flat=0.9)


def kadomatsu(c: Canvas) -> None:
    c.gradient("#efe6d2", "#d9c7a6", "#b89c74")
    for plank in range(9):
        c.line([(plank / 9 + 0.02, 0), (plank / 9 + 0.02, 0.86)], 0.006, "#9c815c")
    c.gradient("#cfc6b6", "#98907f", top=0.84)
    c.soft(c.ring(0.5, 0.92, 0.42, 0.06), "#2b2218", 0.03, 0.7)
    for x, top in ((0.42, 0.22), (0.58, 0.16), (0.5, 0.06)):
        c.rect(x - 0.058, top + 0.06, x + 0.058, 0.6, "#8fb257", "#5f8a3a")
        c.rect(x - 0.058, top + 0.06, x - 0.03, 0.6, "#b5d17e", "#7fa54c")
        c.oval(x, top + 0.06, 0.079, 0.1, "#f3ecc6", "#d8cf98", turn=-14)
        c.oval(x, top + 0.06, 0.045, 0.062, "#8a8a52", turn=-14)
        c.line([(x - 0.058, top + 0.27), (x + 0.058, top + 0.27)], 0.012, "#55793a")
    for x in (0.33, 0.42, 0.58, 0.67):
        pine(c, x, 0.56, 0.42, "#2d6a38")
    for x, y in ((0.36, 0.5), (0.64, 0.52), (0.6, 0.44)):
        c.ball(x, y, 0.035, "#f2483a", "#9c1610")
    c.polygon([(0.34, 0.58), (0.66, 0.58), (0.63, 0.92), (0.37, 0.92)], "#d6b878", "#a5834a")
    for straw in range(26):
        c.line([(0.345 + straw * 0.0125, 0.58), (0.375 + straw * 0.0103, 0.92)], 0.003, "#8b6c38")
    for y in (0.66, 0.76, 0.85):
        c.rect(0.34, y, 0.66, y + 0.025, "#f2ead0", "#c8b98a")


def tsukimi(c: Canvas) -> None:
    c.gradient("#0c1638", "#1d2d5c", "#3b4470")
    c.clouds("#56608c", 0.25, top=0.1, bottom=0.7, cells=(2, 5))
    c.glow(0.7, 0.3, 0.62, "#fff0b8", 0.7)
    c.ball(0.7, 0.3, 0.21, "#fffbe2", "#f0d890")
    c.texture(0.08, cells=(4, 4), within=c.ring(0.7, 0.3, 0.2, 0.2))
    for x, lean in ((0.12, 0.1), (0.18, 0.16), (0.06, 0.05), (0.24, 0.22), (0.15, -0.04)):
        stalk = [(x + lean * (step / 10) ** 2, 1.0 - 0.82 * step / 10) for step in range(11)]
        c.line(stalk, 0.006, "#8c8a5a")
        for _ in range(26):
            c.line([stalk[-2], c.polar(*stalk[-1], c.between(0.05, 0.16), c.between(10, 80))], 0.003, "#e8dfc4")
    c.gradient("#3a2a24", "#1d1412", top=0.86)
    c.polygon([(0.42, 0.76), (0.78, 0.76), (0.74, 0.82), (0.46, 0.82)], "#e9cfa0", "#b48c58")
    c.polygon([(0.5, 0.82), (0.7, 0.82), (0.73, 0.95), (0.47, 0.95)], "#d9bb88", "#94703f")
    for row, count in ((0, 5), (1, 4), (2, 3), (3, 1)):
        for number in range(count):
            c.ball(0.6 + (number - (count - 1) / 2) * 0.066, 0.725 - row * 0.066, 0.045, "#ffffff", "#a8a6b4")
