"""Landscapes."""

from __future__ import annotations

from math import sin

from waon_build.demo.brushes import Canvas, mix
from waon_build.demo.motifs import pine, torii, wave, windows


def fuji(c: Canvas) -> None:
    c.gradient("#5c7cc4", "#a8a4d8", "#f0bccc", "#fbe0d0", bottom=0.56)
    slope = [(0.06, 0.56), (0.2, 0.46), (0.32, 0.34), (0.42, 0.2), (0.46, 0.15), (0.54, 0.15), (0.58, 0.2),
             (0.68, 0.34), (0.8, 0.46), (0.94, 0.56)]  # fmt: skip
    c.polygon(slope, "#6c7cb4", "#8c84b4", "#5c5c94")
    snow = [(0.36, 0.28), (0.42, 0.2), (0.46, 0.15), (0.54, 0.15), (0.58, 0.2), (0.64, 0.28), (0.61, 0.31),
            (0.58, 0.27), (0.54, 0.34), (0.5, 0.28), (0.46, 0.35), (0.42, 0.28), (0.39, 0.32)]  # fmt: skip
    c.polygon(snow, "#ffffff", "#f0dce4")
    c.texture(0.08, top=0.15, bottom=0.5, cells=(14, 10), within=slope)
    c.clouds("#fff0f0", 0.22, top=0.3, bottom=0.56, cells=(2, 8))
    c.ridge(0.565, 0.06, "#3c4468", "#2c3454", peaks=9)
    c.mirror(0.57, 0.82, 0.004)
    c.texture(0.06, top=0.57, cells=(2, 20))


def terraces(c: Canvas) -> None:
    c.gradient("#f4b45c", "#fbd89c", "#c8d0c0", bottom=0.3)
    c.ridge(0.3, 0.16, "#5c7468", "#3c5848", peaks=5)
    for step in range(13):
        y = 0.26 + 0.76 * (step / 13) ** 1.25
        swing, phase = 0.012 + 0.05 * step / 13, step * 1.7
        edge = [(u / 24, y + swing * sin(u / 24 * 6 + phase) + 0.02 * step * (u / 24 - 0.5) / 3) for u in range(25)]
        c.polygon([*edge, (1, 1.01), (0, 1.01)], "#6c8c3c", "#4c6c2c")
        water = [(x, v + 0.012 + 0.012 * step / 13) for x, v in edge]
        c.polygon([*water, (1, 1.01), (0, 1.01)], *(("#fbd494", "#a8bcc8") if step % 3 else ("#f8e8c4", "#8cb0cc")))
        for _ in range(3):
            x = c.between(0.05, 0.95)
            at = edge[int(x * 24)]
            c.line([at, (at[0] + c.between(-0.06, 0.06), at[1] + 0.08)], 0.008, "#5c7c34")
    c.glow(0.22, 0.22, 0.4, "#ffe8b0", 0.8)


def sea_torii(c: Canvas) -> None:
    c.gradient("#28306c", "#8c4c84", "#f0743c", "#ffd07c", bottom=0.6)
    c.clouds("#f8945c", 0.3, top=0.05, bottom=0.5, cells=(2, 6))
    c.glow(0.5, 0.56, 0.55, "#fff0b8", 0.9)
    c.oval(0.5, 0.53, 0.09, 0.09, "#fff6d4")
    c.ridge(0.6, 0.1, "#4c3058", "#38244c", peaks=5)
    torii(c, 0.5, 0.72, 0.56, "#c8341c")
    c.mirror(0.72, 0.72, 0.008)
    for x, y in c.scatter(70, 0.3, 0.7, 0.74, 1):
        c.line([(x, y), (x + c.between(0.02, 0.06), y)], 0.003, "#ffc88c")


def tea(c: Canvas) -> None:
    c.gradient("#58a8e4", "#b4dcf0", bottom=0.34)
    c.ridge(0.34, 0.12, "#6c98a8", "#4c7c74", peaks=4)
    c.gradient("#4c8c34", "#3c7428", top=0.32)
    for row in range(15):
        start = -0.9 + row * 0.2
        left, right = [], []
        for step in range(13):
            u = step / 12
            y = 0.32 + 0.7 * u**1.4
            middle = 0.62 + (start - 0.12) * (0.12 + 0.88 * u**1.2) + 0.06 * sin(u * 4)
            half = 0.008 + 0.062 * u**1.2
            left.append((middle - half, y))
            right.append((middle + half, y))
        c.polygon([*left, *reversed(right)], "#8cc84c", "#6cac34", "#5c9c2c")
        c.line(left, 0.012, "#2c5c1c")
        c.line([((a[0] + b[0]) / 2, a[1]) for a, b in zip(left, right, strict=True)], 0.012, "#b0e06c")
    c.texture(0.22, top=0.34, cells=(26, 26))


def city(c: Canvas) -> None:
    c.gradient("#0c1030", "#2c2858", "#7c4870", "#e0885c", bottom=0.5)
    for depth in range(4):
        x = -0.02
        while x < 1:
            wide = c.between(0.04, 0.09) + 0.02 * depth
            top = 0.36 + depth * 0.13 + c.between(-0.14, 0.1)
            wall = mix("#40406c", "#0c1024", depth / 3)
            c.rect(x, top, x + wide, 1.0, wall, mix(wall, "#000000", 0.3))
            windows(c, x + 0.006, top + 0.015, x + wide - 0.006, min(1.0, top + 0.5), 3 + depth, 14, 0.45)
            x += wide + c.between(0.0, 0.012)
    c.polygon([(0.38, 1.01), (0.49, 0.6), (0.51, 0.6), (0.62, 1.01)], "#1c1c2c", "#0c0c18")
    for lane, colour in ((-0.4, "#ff4030"), (-0.2, "#ff6040"), (0.2, "#fff0c0"), (0.4, "#ffe0a0")):
        for step in range(9):
            u = (step / 9) ** 1.6
            c.glow(0.5 + lane * 0.24 * u, 0.62 + 0.38 * u, 0.012 + 0.05 * u, colour, 1.0)


def cloud_sea(c: Canvas) -> None:
    c.gradient("#1c2c5c", "#5c5c94", "#f0945c", "#ffe4a8", bottom=0.42)
    c.glow(0.78, 0.4, 0.6, "#fff4c8", 1.0)
    c.ridge(0.5, 0.14, "#4c5484", "#7c84a8", peaks=6, rough=0.8)
    c.gradient("#f8e0d0", "#c8c4dc", "#8c98c4", top=0.46)
    for layer in range(5):
        y = 0.5 + layer * 0.11
        for x, dy in c.scatter(16, -0.05, 1.05, 0, 0.06):
            c.soft(c.ring(x, y + dy, 0.13 + 0.03 * layer, 0.035 + 0.012 * layer),
                   mix("#fff0e4", "#a8b0d4", layer / 5 + c.between(-0.1, 0.2)), 0.012, 0.6)  # fmt: skip
    c.polygon([(0.0, 0.62), (0.12, 0.56), (0.24, 0.68), (0.32, 0.86), (0.3, 1.01), (0, 1.01)], "#2c3050", "#141830")
    for x, y in ((0.05, 0.56), (0.14, 0.55), (0.22, 0.63), (0.28, 0.76)):
        c.polygon([(x - 0.03, y + 0.1), (x, y - 0.1), (x + 0.03, y + 0.1)], "#1c2440", "#0c1024")


def waterfall(c: Canvas) -> None:
    c.gradient("#5c7c4c", "#3c5c3c", "#24402c")
    c.polygon([(0, 0), (0.38, 0), (0.42, 0.3), (0.36, 0.7), (0.2, 0.86), (0, 0.9)], "#6c6c60", "#3c3c38")
    c.polygon([(1, 0), (0.62, 0), (0.58, 0.3), (0.66, 0.72), (0.84, 0.88), (1, 0.9)], "#74746a", "#40403c")
    c.texture(0.5, cells=(9, 6))
    for x, y in c.scatter(130, 0, 1, 0, 0.8):
        if x < 0.36 or x > 0.64:
            c.oval(
                x,
                y,
                c.between(0.03, 0.06),
                c.between(0.02, 0.04),
                c.one_of(["#4c8440", "#6ca454", "#386830"]),
                turn=c.between(0, 90),
            )
    c.polygon([(0.41, 0), (0.59, 0), (0.62, 0.78), (0.38, 0.78)], "#f4fafc", "#d0e4ec")
    for _ in range(90):
        x = c.between(0.4, 0.6)
        y = c.between(0, 0.6)
        c.line(
            [(x, y), (x + (x - 0.5) * 0.12, y + c.between(0.08, 0.2))],
            0.004,
            c.one_of(["#ffffff", "#b4d0dc", "#dcecf2"]),
        )
    wave(c, 0.8, 0.008, 0.2, 0.3, "#4c8c94", "#1c4c58")
    c.texture(0.3, top=0.8, cells=(5, 14))
    for x, y in c.scatter(26, 0.32, 0.68, 0.72, 0.84):
        c.soft(c.ring(x, y, 0.08, 0.04), "#ffffff", 0.02, 0.5)
    for x, y, size in ((0.14, 0.92, 0.1), (0.86, 0.94, 0.12), (0.3, 0.97, 0.07)):
        c.ball(x, y, size, "#8c8c84", "#34342f", flat=0.6)
    pine(c, 0.78, 0.18, 0.3, "#305c30")
