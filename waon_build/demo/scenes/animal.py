"""Animals, as one meets them in Japan."""

from __future__ import annotations

from waon_build.demo.brushes import Canvas, mix
from waon_build.demo.motifs import blossom, fish, grass


def koi(c: Canvas) -> None:
    c.gradient("#12403f", "#1b5a4c", "#0d2f33")
    c.texture(0.35, cells=(5, 5))
    for x, y in c.scatter(26, 0, 1, 0, 1):
        c.soft(c.ring(x, y, 0.1, 0.02), "#9fd8c4", 0.01, 0.18)
    school = [
        (0.24, 0.3, 20),
        (0.62, 0.22, 160),
        (0.45, 0.58, -25),
        (0.8, 0.62, 205),
        (0.2, 0.8, 330),
        (0.66, 0.86, 190),
    ]
    for number, (x, y, turn) in enumerate(school):
        c.soft(c.ring(x + 0.02, y + 0.04, 0.17, 0.06, turn), "#02110f", 0.02, 0.6)
        body, patch = [("#f4efe4", "#e2431e"), ("#e8862a", "#f7d7a0"), ("#f7f3ea", "#23211f")][number % 3]
        fish(c, x, y, 0.42, turn, (body, patch), 4)
    for x, y in ((0.9, 0.2), (0.93, 0.34), (0.08, 0.55)):
        c.oval(x, y, 0.11, 0.09, "#4f8f4a", "#2f6a35")
        c.line([(x, y), c.polar(x, y, 0.1, 140)], 0.004, "#24552b")


def cat(c: Canvas) -> None:
    c.gradient("#bfe0f2", "#eaf4f4", bottom=0.55)
    c.clouds("#ffffff", 0.4, bottom=0.5)
    for row in range(7):
        for column in range(-1, 9):
            left, top = column * 0.135 + (row % 2) * 0.065, 0.5 + row * 0.075
            c.polygon(
                [(left + 0.006, top + 0.01), (left + 0.128, top), (left + 0.13, top + 0.066), (left, top + 0.07)],
                c.one_of(["#8d8577", "#a1998a", "#7c7567", "#958b7c"]), "#5f5a50",
            )  # fmt: skip
    c.texture(0.25, top=0.5, cells=(16, 9))
    c.soft(c.ring(0.55, 0.53, 0.36, 0.04), "#201a14", 0.02, 0.6)
    c.line([(0.73, 0.47), (0.82, 0.5), (0.84, 0.6), (0.8, 0.68)], 0.05, "#d98a3d")
    c.ball(0.57, 0.38, 0.25, "#fbf6ec", "#c9b79d", flat=0.66)
    c.oval(0.66, 0.32, 0.11, 0.08, "#d98a3d", turn=20)
    c.oval(0.53, 0.29, 0.09, 0.05, "#3a312b", turn=-10)
    c.ball(0.37, 0.33, 0.13, "#fdf8ef", "#cfbda4", flat=0.9)
    for side, colour in ((-1, "#d98a3d"), (1, "#3a312b")):
        x = 0.37 + side * 0.065
        c.polygon([(x - 0.035, 0.25), (x + side * 0.012, 0.15), (x + 0.035, 0.25)], colour)
        c.line([(x - 0.018, 0.335), (x, 0.345), (x + 0.018, 0.335)], 0.007, "#40342b")
    c.polygon([(0.36, 0.37), (0.38, 0.37), (0.37, 0.385)], "#d7837a")
    for whisker in (-12, 0, 12):
        c.line([(0.34, 0.385), c.polar(0.34, 0.385, 0.13, 180 + whisker)], 0.002, "#ffffff")
        c.line([(0.4, 0.385), c.polar(0.4, 0.385, 0.13, whisker)], 0.002, "#ffffff")


def crane(c: Canvas) -> None:
    c.gradient("#9fb6cc", "#e3d9dc", "#fff3e6", bottom=0.5)
    c.ridge(0.46, 0.12, "#8da0b3", "#c3cfd9", peaks=7)
    c.gradient("#f3f6fa", "#cfdcec", top=0.46)
    c.texture(0.06, top=0.46, cells=(4, 10))
    for x, size, turn in ((0.3, 1.0, 1), (0.76, 0.8, -1)):
        y = 0.52 if size == 1 else 0.5
        c.soft(c.ring(x, y + 0.36 * size, 0.2, 0.02), "#6d86a8", 0.02, 0.6)
        for leg in (-0.015, 0.02):
            c.line([(x + leg, y), (x + leg + 0.01, y + 0.35 * size)], 0.012 * size, "#2d2a2c")
        c.oval(x, y, 0.2 * size, 0.1 * size, "#ffffff", "#d5dce6", turn=-12 * turn)
        c.oval(x - 0.12 * turn * size, y + 0.03, 0.12 * size, 0.06 * size, "#1d1c20", turn=20 * turn)
        neck = [(x + 0.11 * turn * size, y - 0.02), (x + 0.16 * turn * size, y - 0.16 * size),
                (x + 0.13 * turn * size, y - 0.32 * size)]  # fmt: skip
        c.line(neck, 0.045 * size, "#f4f6fa")
        c.line(neck[1:], 0.035 * size, "#1d1c20")
        c.oval(*neck[-1], 0.035 * size, 0.03 * size, "#ffffff")
        c.oval(neck[-1][0], neck[-1][1] - 0.02 * size, 0.022 * size, 0.012 * size, "#d9261c")
        c.line([neck[-1], (neck[-1][0] + 0.08 * turn * size, neck[-1][1] + 0.015)], 0.012 * size, "#6b665b")
    for x, y in c.scatter(160, 0, 1, 0, 1):
        c.oval(x, y, 0.004 + 0.005 * y, 0.004 + 0.005 * y, "#ffffff")


def deer(c: Canvas) -> None:
    c.gradient("#f5d9a6", "#dfe6b4", bottom=0.53)
    for x, y in c.scatter(40, 0, 1, 0.02, 0.36):
        c.soft(c.ring(x, y, 0.14, 0.09), c.one_of(["#7c8f3e", "#97a04a", "#5c7433", "#b59b45"]), 0.03, 0.7)
    for x in (0.08, 0.2, 0.88):
        c.rect(x, 0.1, x + 0.03, 0.56, "#5c4a38", "#3f3125")
    c.gradient("#8fae4b", "#5f8a36", "#4a742d", top=0.52)
    c.texture(0.2, top=0.52, cells=(10, 8))
    grass(c, 260, 0.54, 1.0, ("#5a8434", "#b3c763"))
    c.soft(c.ring(0.53, 0.9, 0.36, 0.04), "#27401a", 0.02, 0.7)
    for leg, bend in ((0.38, 0.0), (0.42, 0.012), (0.62, -0.01), (0.66, 0.01)):
        c.line([(leg, 0.62), (leg + bend, 0.76), (leg, 0.9)], 0.032, "#8a5a33")
    c.oval(0.52, 0.58, 0.24, 0.115, "#c08a52", "#9a6437", turn=-3)
    c.polygon([(0.35, 0.62), (0.31, 0.36), (0.37, 0.32), (0.44, 0.52)], "#b98149", "#a26b3b")
    c.oval(0.29, 0.32, 0.1, 0.055, "#b98149", "#9a6437", turn=-28)
    c.oval(0.235, 0.365, 0.02, 0.016, "#2b211b")
    c.oval(0.3, 0.3, 0.013, 0.013, "#17110d")
    c.oval(0.375, 0.26, 0.065, 0.025, "#c08a52", turn=-32)
    for side in (-1, 1):
        base = (0.33 + side * 0.012, 0.26)
        c.line([base, (base[0] + side * 0.035, 0.16), (base[0] + side * 0.025, 0.06)], 0.014, "#6f5236")
        c.line([(base[0] + side * 0.035, 0.16), (base[0] + side * 0.075, 0.11)], 0.011, "#6f5236")
    for x, y in c.scatter(20, 0.43, 0.64, 0.5, 0.6):
        c.oval(x, y, 0.012, 0.01, "#e9cfa3")


def firefly(c: Canvas) -> None:
    c.gradient("#0b1830", "#10283a", "#0a1a22")
    c.ridge(0.42, 0.3, "#07131c", peaks=4, rough=0.9)
    c.gradient("#0d2530", "#16343a", "#081418", top=0.62)
    c.texture(0.5, top=0.62, cells=(3, 14))
    for x, y in c.scatter(70, 0, 1, 0.5, 1.0):
        c.line([(x, y), c.polar(x, y, c.between(0.05, 0.16), c.between(250, 290))], 0.005, "#0c2418")
    for x, y in c.scatter(75, 0.02, 0.98, 0.18, 0.95):
        size = c.between(0.02, 0.06)
        c.glow(x, y, size * 1.6, "#c8f04a", 0.9)
        c.oval(x, y, size * 0.1, size * 0.1, "#f9ffd0")
    for x, y in ((0.2, 0.4), (0.55, 0.55), (0.78, 0.34), (0.4, 0.72)):
        trail = [c.polar(x, y, 0.02 * step, 30 + 9 * step) for step in range(9)]
        c.line(trail, 0.005, "#d6f26a")
        c.glow(*trail[-1], 0.14, "#c8f04a", 0.9)


def goldfish(c: Canvas) -> None:
    c.gradient("#b8e4f0", "#7fc4dc", "#5aa6c8")
    c.texture(0.12, cells=(5, 5))
    for x, y in c.scatter(40, 0, 1, 0, 1):
        c.line(c.ring(x, y, c.between(0.03, 0.1), c.between(0.015, 0.04), part=0.4), 0.003, "#e9fbff")
    for x, y in c.scatter(17, 0.04, 0.96, 0.06, 0.94):
        turn = c.between(0, 360)
        c.soft(c.ring(x + 0.01, y + 0.03, 0.08, 0.03, turn), "#2a6f92", 0.012, 0.55)
        body = c.one_of(["#ec4a1c", "#f26b21", "#e0331a", "#2b2a2c"])
        fish(c, x, y, c.between(0.17, 0.24), turn, (body, mix(body, "#ffe3c0", 0.5)), 1)
    c.line([(0.98, 0.98), (0.74, 0.66)], 0.03, "#2d7f4f")
    c.oval(0.66, 0.54, 0.17, 0.15, "#2d7f4f")
    c.oval(0.66, 0.54, 0.15, 0.13, "#f4fbfb", "#cfeaf2")


def dragonfly(c: Canvas) -> None:
    c.gradient("#f0b35a", "#f6d590", "#b9b25a", "#7f8a3c")
    for x, y in c.scatter(30, 0, 1, 0.4, 1.0):
        c.soft(c.ring(x, y, 0.14, 0.06), c.one_of(["#e8c257", "#a9a345", "#d8a040", "#8c9440"]), 0.04, 0.7)
    c.line([(0.16, 1.0), (0.58, 0.48)], 0.035, "#7b8b45")
    for knot in (0.3, 0.62, 0.9):
        c.oval(0.16 + 0.42 * knot, 1 - 0.52 * knot, 0.025, 0.018, "#a8b463", turn=-45)
    for angle in (200, 222, 318, 340):
        middle = c.polar(0.6, 0.42, 0.2, angle)
        c.oval(*middle, 0.2, 0.042, "#fdf6e4", "#e9d8b4", turn=angle)
        c.line([(0.6, 0.42), c.polar(0.6, 0.42, 0.38, angle)], 0.004, "#b9916a")
        c.oval(*c.polar(0.6, 0.42, 0.34, angle), 0.022, 0.01, "#7a3b22", turn=angle)
    for segment in range(14):
        red = "#cf2b18" if segment % 2 else "#e2452a"
        c.oval(*c.polar(0.6, 0.43, 0.03 * segment, 62), 0.026 - segment * 0.0008, 0.02, red, turn=62)
    c.ball(0.6, 0.4, 0.048, "#d8492e", "#7f1c10")
    for side in (-0.026, 0.026):
        c.ball(0.6 + side, 0.355, 0.034, "#c9553a", "#5e1710")
    for x, y in ((0.1, 0.2), (0.88, 0.78)):
        blossom(c, x, y, 0.07, "#f7e6c8", "#d9a441", 8)
