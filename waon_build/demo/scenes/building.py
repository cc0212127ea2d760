"""Buildings, old and new."""

from __future__ import annotations

from itertools import pairwise

from waon_build.demo.brushes import Canvas, mix
from waon_build.demo.motifs import branches, pine, roof, windows


def pagoda(c: Canvas) -> None:
    c.gradient("#3b3a6b", "#a4587a", "#f08a4b", "#ffd38a", bottom=0.85)
    c.clouds("#ffb07a", 0.3, top=0.1, bottom=0.6, cells=(2, 6))
    c.glow(0.24, 0.74, 0.5, "#ffd9a0", 0.8)
    c.ridge(0.86, 0.14, "#5b3a52", "#2d1d2e", peaks=6)
    c.rect(0.657, 0.02, 0.663, 0.2, "#2a1a20")
    for ring in range(7):
        c.oval(0.66, 0.07 + ring * 0.016, 0.018, 0.005, "#3a2528")
    for storey in range(5):
        y, half = 0.26 + storey * 0.145, 0.13 + storey * 0.018
        c.rect(0.66 - half * 0.5, y - 0.02, 0.66 + half * 0.5, y + 0.1, "#6b2e22", "#3a1a17")
        for post in range(-2, 3):
            c.rect(0.66 + post * half * 0.2 - 0.004, y, 0.66 + post * half * 0.2 + 0.004, y + 0.1, "#241013")
        roof(c, 0.66, y, half, 0.085, "#33283a")
    c.ridge(0.98, 0.12, "#1c1420", peaks=9, rough=1)


def castle(c: Canvas) -> None:
    c.gradient("#3f88c9", "#9cc8e8", "#e6f2f7", "#9fb58a")
    c.clouds("#ffffff", 0.3, bottom=0.6, cells=(3, 3))
    c.polygon([(0.14, 1.0), (0.27, 0.66), (0.73, 0.66), (0.86, 1.0)], "#a79d8c", "#5e574b")
    for x, y in c.scatter(180, 0.16, 0.84, 0.67, 0.98):
        if 0.14 + (1 - y) * 0.38 < x < 0.86 - (1 - y) * 0.38:
            c.oval(x, y, c.between(0.015, 0.03), c.between(0.01, 0.02),
                   c.one_of(["#8f8676", "#b5ab99", "#736b5d"]), turn=c.between(-20, 20))  # fmt: skip
    storeys = [(0.64, 0.22, 0.13), (0.48, 0.17, 0.11), (0.345, 0.125, 0.09), (0.235, 0.085, 0.07)]
    for y, half, tall in storeys:
        c.rect(0.5 - half, y - tall + 0.02, 0.5 + half, y + 0.03, "#fdfcf7", "#d9dadb")
        for window in range(-2, 3):
            x = 0.5 + window * half * 0.36
            c.rect(x - 0.01, y - tall * 0.42, x + 0.01, y - tall * 0.05, "#3b4248")
        roof(c, 0.5, y - tall + 0.03, half * 1.35, 0.075, "#56646b")
    c.polygon([(0.43, 0.4), (0.5, 0.31), (0.57, 0.4)], "#f6f5ef")
    for side in (-1, 1):
        c.line([(0.5 + side * 0.03, 0.13), (0.5 + side * 0.045, 0.09)], 0.014, "#d8b24a")
    for x, y in ((0.05, 0.9), (0.16, 0.97), (0.9, 0.92), (0.98, 0.85)):
        pine(c, x, y, 0.34, "#2f5b33")


def machiya(c: Canvas) -> None:
    c.gradient("#2c3a63", "#6d6f97", "#d8a58a", "#f0c4a0", bottom=0.5)
    c.gradient("#8a7c78", "#4a4247", top=0.5)
    for side in (-1, 1):

        def at(u: float, y: float, side: int = side) -> tuple[float, float]:
            return 0.5 + side * u, y

        for house in range(5):
            near, far = 0.5 * 0.68**house, 0.5 * 0.68 ** (house + 1)
            high, low = 0.46 - near * 0.72, 0.46 + near * 0.86
            high_far, low_far = 0.46 - far * 0.72, 0.46 + far * 0.86
            wood = mix("#5a3a26", "#2c1c16", house / 6)
            c.polygon(
                [at(near, high), at(far, high_far), at(far, low_far), at(near, low)], wood, mix(wood, "#000000", 0.4)
            )
            for slat in range(12):
                u = near + (far - near) * (slat + 0.5) / 12
                top, bottom = 0.46 - u * 0.2, 0.46 + u * 0.74
                c.line([at(u, top), at(u, bottom)], 0.008 * near * 2, mix("#f3b765", "#2b1a12", 0.3 + 0.5 * (slat % 2)))
            c.polygon([at(near, 0.46 - near * 0.3), at(far, 0.46 - far * 0.3), at(far * 0.8, 0.46 - far * 0.2),
                       at(near * 0.78, 0.46 - near * 0.16)], "#4c5163", "#2a2c38")  # fmt: skip
            tiles = [at(near, high - near * 0.2), at(far, high_far - far * 0.2), at(far * 0.85, high_far)]
            c.polygon([*tiles, at(near * 0.8, high)], "#535a6e", "#2d303d")
            c.glow(*at(near * 0.82, 0.46 + near * 0.1), near * 0.5, "#ffb455", 0.8)
            c.oval(*at(near * 0.8, 0.46 + near * 0.1), near * 0.05, near * 0.08, "#ffe6b0", "#ff9a3a")
    c.polygon([(0.0, 1.0), (0.47, 0.5), (0.53, 0.5), (1.0, 1.0)], "#8a7c78", "#5b5257")
    c.texture(0.2, top=0.5, cells=(6, 18))
    c.glow(0.5, 0.5, 0.35, "#ffd9a0", 0.5)


def kayabuki(c: Canvas) -> None:
    c.gradient("#7f93ab", "#b9c6d3", "#dfe6ec", bottom=0.6)
    c.ridge(0.5, 0.34, "#6f8294", "#a9b8c6", peaks=4, rough=0.8)
    for x, y in c.scatter(60, 0, 1, 0.34, 0.52):
        c.polygon([(x - 0.022, y + 0.06), (x, y - 0.08), (x + 0.022, y + 0.06)], "#d8e0e6", "#5b7068")
    c.gradient("#f5f8fb", "#dfe7f0", "#c4d2e2", top=0.54)
    for x, y, size in ((0.76, 0.6, 0.55), (0.34, 0.74, 1.0)):
        wide, tall = 0.25 * size, 0.36 * size
        c.rect(x - wide * 0.78, y - 0.06 * size, x + wide * 0.78, y + 0.12 * size, "#5c4533", "#3a2b22")
        for pane in range(-3, 4):
            left = x + pane * wide * 0.2
            c.rect(left - wide * 0.07, y, left + wide * 0.07, y + 0.08 * size, "#ffd27a", "#f0a64a")
        c.glow(x, y + 0.05 * size, 0.3 * size, "#ffca7a", 0.5)
        c.polygon(
            [(x - wide, y), (x - wide * 0.1, y - tall), (x + wide * 0.1, y - tall), (x + wide, y)], "#8a7354", "#5d4a36"
        )
        c.polygon([(x - wide * 1.02, y - 0.01), (x - wide * 0.12, y - tall - 0.03), (x + wide * 0.12, y - tall - 0.03),
                   (x + wide * 0.96, y - 0.05 * size), (x + wide * 0.3, y - 0.13 * size),
                   (x - wide * 0.4, y - 0.08 * size)], "#ffffff", "#dbe5f0")  # fmt: skip
    c.soft([(0, 0.86), (0.4, 0.82), (1, 0.9), (1, 1.1), (0, 1.1)], "#ffffff", 0.03)
    for x, y in c.scatter(220, 0, 1, 0, 1):
        c.oval(x, y, 0.003 + 0.005 * c.between(0, 1), 0.005, "#ffffff")


def tower(c: Canvas) -> None:
    c.gradient("#050a1e", "#12204a", "#3a3f78", "#7a5a7f")
    c.glow(0.42, 0.75, 0.8, "#ff8a3a", 0.5)
    for x, y in c.scatter(50, 0, 1, 0, 0.5):
        c.oval(x, y, 0.0025, 0.0025, "#dfe8ff")
    for x in (0.02, 0.14, 0.66, 0.78, 0.9):
        top = c.between(0.62, 0.78)
        c.rect(x, top, x + 0.115, 1.0, "#1a2340", "#0c1124")
        windows(c, x + 0.01, top + 0.02, x + 0.105, 1.0, 6, 12, 0.5)

    def half(y: float) -> float:
        return 0.008 + 0.13 * float(max(0.0, (y - 0.1) / 0.85) ** 2.2)

    steps = [0.1 + 0.85 * step / 22 for step in range(23)]
    for y, below in pairwise(steps):
        colour = "#ff7a2e" if int(y * 12) % 3 else "#fff0dc"
        for side in (-1, 1):
            c.line([(0.42 + side * half(y), y), (0.42 + side * half(below), below)], 0.014, colour)
            c.line([(0.42 + side * half(y), y), (0.42 - side * half(below), below)], 0.005, colour)
        c.line([(0.42 - half(y), y), (0.42 + half(y), y)], 0.005, colour)
    c.line([(0.42, 0.02), (0.42, 0.12)], 0.009, "#fff0dc")
    for y, wide in ((0.34, 0.03), (0.6, 0.075)):
        c.rect(0.42 - wide, y - 0.022, 0.42 + wide, y + 0.022, "#fff6e6", "#e8b98a")
        c.glow(0.42, y, 0.16, "#ffd9a0", 0.6)


def storehouses(c: Canvas) -> None:
    c.gradient("#86bfe6", "#d7ecf5", bottom=0.35)
    for left, right, top in ((-0.02, 0.3, 0.2), (0.28, 0.62, 0.26), (0.6, 1.02, 0.16)):
        c.rect(left, top, right, 0.58, "#fbf8f0", "#d8d4c8")
        c.rect(left, 0.44, right, 0.58, "#3d4148", "#24272c")
        for number in range(8):
            x = left + (right - left) * number / 8
            c.line([(x, 0.44), (x + (right - left) / 8, 0.58)], 0.004, "#e8e6df")
            c.line([(x + (right - left) / 8, 0.44), (x, 0.58)], 0.004, "#e8e6df")
        roof(c, (left + right) / 2, top + 0.02, (right - left) * 0.56, 0.12, "#4b525c", flare=0.1)
        middle = (left + right) / 2
        c.rect(middle - 0.025, top + 0.08, middle + 0.025, top + 0.17, "#2e2a28", "#4a4440")
    c.mirror(0.6, 0.62, 0.006)
    c.texture(0.15, top=0.6, cells=(3, 16))
    c.rect(0, 0.57, 1, 0.62, "#8b8578", "#5b564d")
    for x in (0.12, 0.86):
        tips = branches(c, x, 0.58, 0.16, 272, 0.016, "#4b3f30")
        for tip in tips:
            c.line([tip, (tip[0] + c.between(-0.01, 0.01), tip[1] + c.between(0.12, 0.26))], 0.006,
                   c.one_of(["#7fa83f", "#9cc052", "#5f8a35"]))  # fmt: skip
    c.polygon([(0.4, 0.8), (0.7, 0.8), (0.66, 0.87), (0.44, 0.87)], "#7a5433", "#3f2a1a")


def lighthouse(c: Canvas) -> None:
    c.gradient("#5aa7e0", "#a8d5f2", "#eef7fa", bottom=0.62)
    c.clouds("#ffffff", 0.35, top=0.15, bottom=0.6, cells=(3, 4))
    c.gradient("#2c78a8", "#4c9cc0", "#2f6f96", top=0.58)
    c.texture(0.25, top=0.58, cells=(4, 26))
    c.polygon(
        [(0, 0.62), (0.2, 0.6), (0.38, 0.68), (0.5, 0.82), (0.56, 1.01), (0, 1.01)], "#7ca152", "#5f7f45", "#6d6355"
    )
    c.texture(0.3, top=0.6, cells=(9, 9), within=[(0, 0.62), (0.2, 0.6), (0.38, 0.68), (0.5, 0.82), (0.56, 1), (0, 1)])
    for x, y in c.scatter(40, 0.4, 0.75, 0.84, 1.0):
        c.soft(c.ring(x, y, 0.03, 0.012), "#ffffff", 0.006, 0.8)
    c.soft([(0.24, 0.66), (0.5, 0.74), (0.48, 0.78), (0.2, 0.68)], "#2d3b22", 0.01, 0.6)
    c.polygon([(0.155, 0.66), (0.18, 0.2), (0.25, 0.2), (0.275, 0.66)], "#ffffff", "#d9dee2")
    c.polygon([(0.215, 0.66), (0.22, 0.2), (0.25, 0.2), (0.275, 0.66)], "#dfe4e8", "#b9c2c8")
    c.rect(0.165, 0.18, 0.265, 0.2, "#6b7680")
    c.rect(0.19, 0.1, 0.24, 0.18, "#cfe8f0", "#8fb4c0")
    for bar in (0.19, 0.207, 0.223, 0.24):
        c.line([(bar, 0.1), (bar, 0.18)], 0.006, "#56616a")
    c.polygon([(0.18, 0.1), (0.215, 0.04), (0.25, 0.1)], "#d8412f", "#9c2a1e")
    for x, y in ((0.6, 0.2), (0.68, 0.27), (0.8, 0.16)):
        c.line([(x - 0.03, y - 0.015), (x, y), (x + 0.03, y - 0.015)], 0.008, "#5b6670")
