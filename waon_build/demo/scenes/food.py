"""Food."""

from __future__ import annotations

from math import sin

from waon_build.demo.brushes import Canvas, mix
from waon_build.demo.motifs import bowl


def _table(c: Canvas, light: str, dark: str) -> None:
    c.gradient(light, dark)
    c.texture(0.22, cells=(2, 26))


def ramen(c: Canvas) -> None:
    _table(c, "#7a4a28", "#4c2c16")
    bowl(c, 0.5, 0.46, 0.45, "#c22f24", 0.62)
    c.oval(0.5, 0.46, 0.405, 0.24, "#c98a3c", "#a5642a")
    for strand in range(46):
        x, y = c.between(0.3, 0.62), c.between(0.36, 0.6)
        c.line([(x + 0.012 * step, y + 0.014 * sin(step * 1.1 + strand)) for step in range(9)], 0.01,
               c.one_of(["#f4d88c", "#e8c46c", "#fbe8ae"]))  # fmt: skip
    for x, y in ((0.38, 0.38), (0.46, 0.35)):
        c.oval(x, y, 0.115, 0.075, "#b5775a", "#8a4f38", turn=-12)
        c.oval(x + 0.005, y + 0.004, 0.075, 0.044, "#e0b394", "#c08a6c", turn=-12)
    for x, y in ((0.6, 0.4), (0.65, 0.48)):
        c.oval(x, y, 0.075, 0.055, "#fdfaf2")
        c.ball(x, y, 0.04, "#ffb84a", "#e07a14", flat=0.8)
    c.polygon([(0.66, 0.24), (0.75, 0.22), (0.74, 0.46), (0.66, 0.44)], "#20302a", "#10201a")
    for x, y in c.scatter(46, 0.42, 0.58, 0.5, 0.62):
        c.oval(x, y, 0.016, 0.01, c.one_of(["#6ab04a", "#8cd05c", "#d8f0b0"]))
    for x, y in c.scatter(26, 0.27, 0.7, 0.34, 0.64):
        c.line(c.ring(x, y, 0.015, 0.01), 0.002, "#f2c878")
    for stick in (0.0, 0.03):
        c.line([(0.78 + stick, 0.04), (0.98, 0.6 + stick)], 0.016, "#2c1810")
    for x in (0.42, 0.55):
        c.soft(
            [(x, 0.3), (x + 0.04, 0.16), (x - 0.02, 0.02), (x + 0.06, 0.02), (x + 0.08, 0.18)], "#ffffff", 0.03, 0.35
        )


def sushi(c: Canvas) -> None:
    _table(c, "#2c2622", "#1a1614")
    c.soft([(0.06, 0.28), (0.96, 0.28), (0.98, 0.9), (0.04, 0.9)], "#000000", 0.03, 0.8)
    c.polygon([(0.08, 0.24), (0.92, 0.24), (0.97, 0.82), (0.03, 0.82)], "#e4bd86", "#c89a5c")
    c.texture(
        0.12, top=0.24, bottom=0.82, cells=(2, 18), within=[(0.08, 0.24), (0.92, 0.24), (0.97, 0.82), (0.03, 0.82)]
    )
    c.polygon([(0.03, 0.82), (0.97, 0.82), (0.95, 0.89), (0.05, 0.89)], "#8f6634")
    toppings = ["#c8202c", "#f08a5a", "#f6e2d4", "#f0b43c", "#e86a5c", "#d84a4a", "#f4c4b4", "#b8242c"]
    for number, colour in enumerate(toppings):
        row, column = divmod(number, 4)
        x, y = 0.2 + column * 0.2 + row * 0.0, 0.4 + row * 0.25
        c.soft(c.ring(x + 0.01, y + 0.06, 0.13, 0.05), "#5a3a18", 0.015, 0.6)
        c.oval(x, y + 0.03, 0.115, 0.06, "#ffffff", "#d8d4c8")
        for grain in range(14):
            c.oval(x - 0.07 + grain * 0.0108, y + 0.052 + 0.012 * (grain % 3), 0.014, 0.008, "#fbfaf4", turn=grain * 40)
        c.oval(x, y - 0.005, 0.13, 0.055, mix(colour, "#ffffff", 0.3), colour, mix(colour, "#000000", 0.15), turn=-6)
        for stripe in range(-3, 4):
            c.line([(x + stripe * 0.024 - 0.01, y + 0.03), (x + stripe * 0.024 + 0.014, y - 0.04)], 0.005,
                   mix(colour, "#ffffff", 0.45))  # fmt: skip
    c.ball(0.9, 0.74, 0.05, "#a8cc6a", "#5f8a34")
    for x, y in c.scatter(14, 0.06, 0.13, 0.66, 0.76):
        c.oval(x, y, 0.04, 0.014, c.one_of(["#f6b8b0", "#f8d0c4", "#eea098"]), turn=c.between(-30, 30))


def dango(c: Canvas) -> None:
    c.gradient("#f6c8d4", "#fbe6ea", "#d8e6c0")
    for x, y in c.scatter(36, 0, 1, 0, 1):
        c.soft(c.ring(x, y, 0.07, 0.07), c.one_of(["#ffffff", "#f8b4c8", "#fde0e8"]), 0.02, 0.5)
    c.oval(0.5, 0.74, 0.56, 0.2, "#6f7f8c", "#3f4c58")
    c.oval(0.5, 0.72, 0.5, 0.165, "#8d9da8", "#5c6c78")
    for skewer in range(3):
        x, y = 0.3 + skewer * 0.12, 0.28 + skewer * 0.17
        c.line([(x - 0.14, y + 0.1), (x + 0.52, y + 0.02)], 0.014, "#c89c5c")
        for number, (light, dark) in enumerate(
            (("#fbc4d0", "#d87a94"), ("#ffffff", "#c8c4bc"), ("#bcd88a", "#7a9c46"))
        ):
            c.ball(x + number * 0.125, y + 0.07 - number * 0.016, 0.082, light, dark)


def onigiri(c: Canvas) -> None:
    c.gradient("#3f6b52", "#2c4f3c")
    for row in range(30):
        c.line([(0, row / 30), (1, row / 30)], 0.006, "#5f8a68" if row % 2 else "#365a46")
    c.oval(0.5, 0.6, 0.62, 0.36, "#8a6a44", "#5f4428")
    c.oval(0.5, 0.58, 0.57, 0.32, "#a8845a", "#7c5c38")
    for x, y, size in ((0.3, 0.44, 0.25), (0.68, 0.42, 0.25), (0.49, 0.66, 0.27)):
        c.soft(c.ring(x + 0.02, y + size * 0.7, size * 0.9, size * 0.2), "#2c1c0c", 0.02, 0.7)
        corners = [c.polar(x, y + size * 0.12, size, angle) for angle in (270, 30, 150)]
        outline = [
            (corner[0] + (other[0] - corner[0]) * 0.2, corner[1] + (other[1] - corner[1]) * 0.2)
            for number, corner in enumerate(corners)
            for other in (corners[number - 1], corners[(number + 1) % 3])
        ]
        c.polygon(outline, "#ffffff", "#dcdad0")
        c.texture(0.07, cells=(18, 18), within=outline)
        c.rect(x - size * 0.26, y + size * 0.12, x + size * 0.26, y + size * 0.6, "#22302a", "#101a16")
    for x, y in ((0.86, 0.62), (0.84, 0.7)):
        c.ball(x, y, 0.05, "#e86a5c", "#8f1c20")
    c.oval(0.16, 0.68, 0.09, 0.05, "#f4d03c", "#c89a14")
    c.oval(0.17, 0.72, 0.09, 0.05, "#f8e06a", "#d0a420")


def kakigori(c: Canvas) -> None:
    c.gradient("#4fc4d8", "#a4e4ea", "#e4f6f2")
    for x, y in c.scatter(18, 0, 1, 0, 0.9):
        c.soft(c.ring(x, y, 0.08, 0.08), "#ffffff", 0.02, 0.35)
    c.gradient("#f0d8a8", "#d8b478", top=0.86)
    c.soft(c.ring(0.5, 0.92, 0.3, 0.04), "#7a5a28", 0.02, 0.7)
    c.polygon([(0.46, 0.74), (0.54, 0.74), (0.6, 0.92), (0.4, 0.92)], "#d8f0f6", "#8fc0d0")
    c.polygon([(0.22, 0.52), (0.78, 0.52), (0.66, 0.76), (0.34, 0.76)], "#e4f8fc", "#9cd0e0")
    for facet in range(9):
        x = 0.25 + facet * 0.0625
        c.line([(x, 0.52), (0.5 + (x - 0.5) * 0.55, 0.76)], 0.005, "#ffffff")
    left, right = [(0.22, 0.53), (0.27, 0.4), (0.36, 0.24), (0.45, 0.12)], [(0.65, 0.25), (0.73, 0.4), (0.78, 0.53)]
    mound = [*left, (0.5, 0.08), (0.56, 0.12), *right]
    c.polygon(mound, "#ffffff", "#e4eef6")
    drips = [(0.7, 0.36), (0.64, 0.42), (0.58, 0.36), (0.52, 0.47), (0.45, 0.38), (0.38, 0.45), (0.3, 0.36)]
    c.polygon([*left[2:], (0.5, 0.08), (0.56, 0.12), right[0], *drips], "#ff6a7a", "#e0243c")
    c.texture(0.14, top=0.08, bottom=0.53, cells=(26, 22), within=mound)
    c.line([(0.66, 0.28), (0.84, 0.02)], 0.02, "#e0862c")


def matcha(c: Canvas) -> None:
    c.gradient("#c8b470", "#a8944e")
    for row in range(60):
        c.line([(0, row / 60), (1, row / 60 + 0.01)], 0.004, "#8f7c3c")
    c.rect(0, 0, 0.07, 1, "#20301f", "#182618")
    bowl(c, 0.4, 0.42, 0.32, "#3a302c", 0.7)
    c.oval(0.4, 0.42, 0.285, 0.19, "#a8c84a", "#7ca02c")
    for x, y in c.scatter(150, 0.24, 0.56, 0.28, 0.57):
        if ((x - 0.4) * 1.33 / 0.27) ** 2 + ((y - 0.42) / 0.17) ** 2 < 1:
            size = c.between(0.004, 0.012)
            c.oval(x, y, size, size * 0.7, c.one_of(["#c8e07a", "#d8ecA0", "#b4d25c"]))
    c.polygon([(0.62, 0.62), (0.94, 0.58), (0.97, 0.88), (0.65, 0.92)], "#2c1c18", "#1c1210")
    for x, y, colour in ((0.74, 0.74, "#f4a8bc"), (0.86, 0.73, "#f8f0e4")):
        for petal in range(5):
            c.ball(
                *c.polar(x, y, 0.034, petal * 72 - 90), 0.032, mix(colour, "#ffffff", 0.5), mix(colour, "#7a3a4c", 0.3)
            )
        c.oval(x, y, 0.014, 0.012, "#f2d060")


def takoyaki(c: Canvas) -> None:
    c.gradient("#e8d8b0", "#c8b080")
    c.texture(0.1, cells=(14, 14))
    hull = [(0.04, 0.3), (0.14, 0.2), (0.86, 0.2), (0.96, 0.3), (0.98, 0.74), (0.88, 0.86), (0.12, 0.86), (0.02, 0.74)]
    c.soft([(x, y + 0.05) for x, y in hull], "#5a4420", 0.03, 0.7)
    c.polygon(hull, "#f6e8c4", "#dcc48c")
    for row in range(2):
        for column in range(4):
            x, y = 0.19 + column * 0.205, 0.37 + row * 0.31
            c.soft(c.ring(x, y + 0.09, 0.13, 0.05), "#6a4c20", 0.02, 0.6)
            c.ball(x, y, 0.128, "#e8b060", "#8f5420")
            c.polygon(
                [c.polar(x, y - 0.02, 0.1 * (0.8 + 0.3 * sin(step * 2.2)), step * 20) for step in range(18)], "#5c2412"
            )
            for stripe in range(4):
                drift = [(x - 0.06 + 0.012 * step, y - 0.06 + stripe * 0.03 + 0.012 * (step % 2)) for step in range(11)]
                c.line(drift, 0.006, "#fbf3d0")
            for dx, dy in c.scatter(12, -0.05, 0.05, -0.07, 0.05):
                c.oval(x + dx, y + dy, 0.009, 0.004, "#3f8a3c", turn=c.between(0, 180))
            for dx, dy in c.scatter(5, -0.05, 0.05, -0.08, 0.0):
                c.oval(x + dx, y + dy, 0.035, 0.012, "#e8b894", turn=c.between(0, 180))
    c.line([(0.5, 0.35), (0.66, 0.02)], 0.01, "#c89c5c")


def udon(c: Canvas) -> None:
    c.gradient("#d8d2c4", "#b4aa96")
    c.texture(0.08, cells=(10, 10))
    c.oval(0.52, 0.52, 0.6, 0.46, "#5a3420", "#3c2214")
    c.oval(0.52, 0.51, 0.55, 0.42, "#6c4028", "#4a2a1a")
    c.oval(0.52, 0.47, 0.42, 0.33, "#f4f0e4", "#a8b4c0")
    c.oval(0.52, 0.47, 0.37, 0.285, "#d8a860", "#b8843c")
    for strand in range(30):
        x, y = c.between(0.32, 0.56), c.between(0.3, 0.64)
        c.line([(x + 0.016 * step, y + 0.018 * sin(step * 0.9 + strand * 2)) for step in range(8)], 0.022,
               c.one_of(["#fbf6e8", "#f0e8d2", "#fffdf4"]))  # fmt: skip
    c.polygon([(0.34, 0.3), (0.58, 0.24), (0.64, 0.48), (0.4, 0.55)], "#e0a850", "#b87824")
    c.texture(0.2, cells=(9, 9), within=[(0.34, 0.3), (0.58, 0.24), (0.64, 0.48), (0.4, 0.55)])
    for x, y in ((0.64, 0.56), (0.7, 0.5)):
        c.oval(x, y, 0.07, 0.055, "#ffffff", "#f0e4e4")
        c.line(c.ring(x, y, 0.04, 0.03), 0.014, "#f08aa4")
    for x, y in c.scatter(34, 0.4, 0.56, 0.58, 0.7):
        c.line(c.ring(x, y, 0.016, 0.013), 0.006, c.one_of(["#6fae4c", "#a4d070"]))
