"""Crafts, gardens and games."""

from __future__ import annotations

from itertools import pairwise
from math import sin

from waon_build.demo.brushes import Canvas, mix
from waon_build.demo.motifs import branches, pine


def wagasa(c: Canvas) -> None:
    c.gradient("#4c4844", "#2c2a28")
    c.texture(0.3, cells=(9, 9))
    for x, y, radius, colour in (
        (0.36, 0.44, 0.42, "#c8242c"),
        (0.86, 0.8, 0.3, "#4c3c84"),
        (0.9, 0.16, 0.24, "#d8a43c"),
    ):
        c.soft(c.ring(x + 0.02, y + 0.05, radius, radius), "#000000", 0.03, 0.7)
        for rib in range(32):
            first, second = c.polar(x, y, radius, rib * 11.25), c.polar(x, y, radius, (rib + 1) * 11.25)
            light = 0.5 + 0.5 * sin(rib * 0.196 + 2.2)
            c.polygon([(x, y), first, second], mix(mix(colour, "#000000", 0.35), mix(colour, "#ffffff", 0.25), light))
            c.line([(x, y), first], 0.003, mix(colour, "#200808", 0.6))
        for share in (0.62, 0.72):
            band = c.ring(x, y, radius * share, radius * share)
            c.line([*band, band[0]], radius * 0.06, "#f4ecd8")
        c.ball(x, y, radius * 0.1, "#5c4030", "#1c100c")


def temari(c: Canvas) -> None:
    c.gradient("#2c2438", "#443454", "#1c1824")
    c.soft(c.ring(0.5, 0.84, 0.6, 0.12), "#0c0814", 0.04, 0.8)
    balls = [
        (0.3, 0.52, 0.27, "#c82c3c", "#f4d03c"),
        (0.7, 0.58, 0.23, "#2c5ca8", "#f4a4c0"),
        (0.53, 0.28, 0.17, "#3c8c54", "#fbf0e0"),
    ]
    for x, y, radius, ground, thread in balls:
        c.ball(x, y, radius, mix(ground, "#ffffff", 0.3), mix(ground, "#000000", 0.55))
        for petal in range(8):
            turn = petal * 45 + radius * 100
            for ring in range(4):
                reach = radius * (0.75 - ring * 0.14)
                tip, side = c.polar(x, y, reach, turn), radius * (0.3 - ring * 0.06)
                c.line([c.polar(x, y, side, turn - 40), tip, c.polar(x, y, side, turn + 40)], 0.006,
                       mix(thread, "#ffffff", ring * 0.2))  # fmt: skip
        for turn in (20, 80, 140):
            band = c.ring(x, y, radius * 0.99, radius * 0.22, turn, part=0.5)
            c.line(band, 0.008, mix(thread, ground, 0.3))
        c.glow(x - radius * 0.25, y - radius * 0.4, radius * 0.6, "#ffffff", 0.4)


def fan(c: Canvas) -> None:
    c.gradient("#e8e0d0", "#d0c4ac")
    c.texture(0.06, cells=(20, 20))
    c.soft(c.ring(0.52, 0.92, 0.78, 0.78, 180, part=0.5), "#6c5c40", 0.03, 0.5)
    for blade in range(30):
        turn = 192 + blade * 5.2
        near, far = 0.3, 0.76
        corners = [c.polar(0.5, 0.9, near, turn), c.polar(0.5, 0.9, far, turn), c.polar(0.5, 0.9, far, turn + 5.3),
                   c.polar(0.5, 0.9, near, turn + 5.3)]  # fmt: skip
        c.polygon(corners, mix("#1c3468" if blade % 2 else "#244080", "#e8b4a0", abs(blade - 15) / 26))
        c.line([(0.5, 0.9), c.polar(0.5, 0.9, near + 0.02, turn + 2.6)], 0.012, "#5c3c24")
    for turn, reach, size in ((225, 0.6, 0.07), (250, 0.5, 0.05), (285, 0.63, 0.08), (315, 0.52, 0.06)):
        x, y = c.polar(0.5, 0.9, reach, turn)
        for petal in range(12):
            c.oval(*c.polar(x, y, size * 0.6, petal * 30), size * 0.42, size * 0.14, "#f0d890", turn=petal * 30)
        c.oval(x, y, size * 0.2, size * 0.2, "#c89434")
    c.ball(0.5, 0.9, 0.024, "#f0e0b0", "#7c5c28")


def bonsai(c: Canvas) -> None:
    c.gradient("#f4efe2", "#e0d6c0", "#c8b894", bottom=0.8)
    c.gradient("#5c4030", "#38261c", top=0.8)
    c.soft(c.ring(0.5, 0.9, 0.42, 0.04), "#14100c", 0.02, 0.8)
    trunk = [(0.48, 0.76), (0.44, 0.62), (0.56, 0.5), (0.5, 0.36), (0.58, 0.24)]
    for number, (first, second) in enumerate(pairwise(trunk)):
        c.line([first, second], 0.075 - number * 0.016, "#5c4434")
        c.line([(first[0] - 0.01, first[1]), (second[0] - 0.01, second[1])], 0.016, "#8c6c50")
    for limb, end in (((0.5, 0.57), (0.26, 0.52)), ((0.54, 0.48), (0.8, 0.42)), ((0.52, 0.38), (0.34, 0.32))):
        c.line([limb, end], 0.022, "#5c4434")
    for x, y, wide in ((0.24, 0.48, 0.36), (0.8, 0.38, 0.38), (0.34, 0.28, 0.3), (0.58, 0.18, 0.4), (0.66, 0.52, 0.2)):
        c.soft(c.ring(x, y + 0.02, wide * 0.5, wide * 0.15), "#1c3c20", 0.01)
        for _ in range(3):
            pine(c, x, y, wide, "#2c6434")
    c.polygon([(0.24, 0.76), (0.76, 0.76), (0.7, 0.9), (0.3, 0.9)], "#3c5c8c", "#1c3054")
    c.rect(0.22, 0.745, 0.78, 0.785, "#5c7cac", "#38547c")
    c.oval(0.5, 0.75, 0.34, 0.022, "#6c8c3c", "#4c6428")


def sand_garden(c: Canvas) -> None:
    c.gradient("#e4ded2", "#d4ccbc")
    for line in range(46):
        y = line / 45
        c.line([(0, y), (1, y)], 0.006, "#b4aa98")
        c.line([(0, y + 0.01), (1, y + 0.01)], 0.004, "#f4f0e8")
    stones = [(0.3, 0.42, 0.11), (0.72, 0.62, 0.15), (0.62, 0.2, 0.07)]
    for x, y, size in stones:
        for ring in range(7, 0, -1):
            across, down = size + 0.032 * ring, size * 0.7 + 0.026 * ring
            c.oval(x, y, across + 0.012, down + 0.012, "#dcd4c6" if ring % 2 else "#d4ccbc")
            band = c.ring(x, y, across, down)
            c.line([*band, band[0]], 0.006, "#a89e8c")
    for x, y, size in stones:
        c.oval(x, y + size * 0.2, size * 1.15, size * 0.7, "#7c9454", "#566c38")
        c.soft(c.ring(x + 0.03, y + size * 0.4, size, size * 0.4), "#3c3830", 0.02, 0.5)
        c.ball(x, y, size, "#9c9890", "#38362f", flat=0.8)
        c.texture(0.4, cells=(7, 7), within=c.ring(x, y, size, size * 0.8))
    c.rect(0, 0, 1, 0.05, "#7c5c3c", "#5c4028")


def cloth(c: Canvas) -> None:
    c.gradient("#1c3470", "#16285c")
    for row in range(18):
        for column in range(-1, 12):
            x, y = column * 0.1 + (row % 2) * 0.05, row * 0.062 - 0.03
            for number, share in enumerate((1.0, 0.78, 0.56, 0.34)):
                colour = "#f0ece0" if number % 2 == 0 else c.one_of(["#24448c", "#2c54a4", "#1c3470"])
                c.oval(x, y + 0.066, 0.066 * share, 0.066 * share, colour)
                c.oval(x, y + 0.066, 0.066 * share - 0.008, 0.066 * share - 0.008, "#24448c")
    for fold, dark in ((0.1, 0.4), (0.34, 0.5), (0.62, 0.35), (0.86, 0.5)):
        c.soft([(fold, -0.1), (fold + 0.05, -0.1), (fold + 0.12, 1.1), (fold + 0.02, 1.1)], "#050c24", 0.03, dark)
        c.soft([(fold + 0.1, -0.1), (fold + 0.13, -0.1), (fold + 0.2, 1.1), (fold + 0.16, 1.1)], "#c8d4f4", 0.03, 0.35)


def wind_bell(c: Canvas) -> None:
    c.gradient("#7cc4e8", "#c4e8f0", "#b4dca0", "#6ca85c")
    for x, y in c.scatter(34, 0, 1, 0.45, 1):
        c.soft(c.ring(x, y, 0.1, 0.08), c.one_of(["#8cc46c", "#a8d888", "#64a054", "#e4f4c0"]), 0.03, 0.6)
    c.rect(0, 0, 1, 0.07, "#5c4430", "#3c2c20")
    for x, y, size, colour in ((0.28, 0.34, 0.16, "#e8484c"), (0.72, 0.28, 0.13, "#3c7cd8")):
        c.line([(x, 0.06), (x, y - size)], 0.005, "#f4f0e8")
        c.oval(x, y, size, size * 0.92, "#f4fcff", "#a4d4e4")
        c.oval(x, y + size * 0.06, size * 0.9, size * 0.8, "#d4f0f8", "#94c8dc")
        c.rect(x - size * 0.62, y + size * 0.72, x + size * 0.62, y + size, "#b8d88c")
        for side, drop in ((-0.36, 0.1), (0.3, -0.2), (0.05, 0.4)):
            fish_x, fish_y = x + side * size * 0.75, y + drop * size
            c.oval(fish_x, fish_y, size * 0.22, size * 0.1, colour, turn=20 * side)
            c.polygon([(fish_x + size * 0.12, fish_y), (fish_x + size * 0.28, fish_y - size * 0.12),
                       (fish_x + size * 0.28, fish_y + size * 0.12)], colour)  # fmt: skip
        c.glow(x - size * 0.3, y - size * 0.4, size * 0.7, "#ffffff", 0.7)
        c.line([(x, y + size * 0.5), (x, y + size * 2)], 0.004, "#f4f0e8")
        lean = c.between(-0.02, 0.02)
        top, low = y + size * 2, y + size * 3.6
        slip = [(x - 0.03, top), (x + 0.03, top), (x + 0.03 + lean, low), (x - 0.03 + lean, low)]
        c.polygon(slip, mix(colour, "#ffffff", 0.7), mix(colour, "#ffffff", 0.4))
    for tip in branches(c, 0.98, 0.02, 0.16, 150, 0.014, "#4c3c2c"):
        c.oval(*tip, 0.04, 0.018, "#5c9c4c", turn=c.between(0, 180))
