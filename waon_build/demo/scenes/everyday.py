"""Everyday life."""

from __future__ import annotations

from waon_build.demo.brushes import Canvas, mix
from waon_build.demo.motifs import windows


def tram(c: Canvas) -> None:
    c.gradient("#8cc0e8", "#dceef5", bottom=0.4)
    for x, top, colour in (
        (0.0, 0.1, "#c9b9a4"),
        (0.18, 0.2, "#a9a59c"),
        (0.7, 0.14, "#bfa88f"),
        (0.86, 0.05, "#9aa3a8"),
    ):
        c.rect(x, top, x + 0.17, 0.62, colour, mix(colour, "#000000", 0.25))
        windows(c, x + 0.01, top + 0.04, x + 0.16, 0.58, 4, 6, 0.3)
    c.gradient("#8f8c88", "#6b6865", top=0.6)
    c.texture(0.15, top=0.6, cells=(12, 12))
    for side in (-1, 1):
        c.line([(0.5 + side * 0.05, 0.6), (0.5 + side * 0.34, 1.0)], 0.014, "#d5d2cc")
    c.line([(0, 0.04), (0.5, 0.12), (1, 0.03)], 0.004, "#2c3036")
    c.soft([(0.25, 0.83), (0.75, 0.83), (0.8, 0.92), (0.2, 0.92)], "#1c1a18", 0.02, 0.8)
    c.line([(0.5, 0.12), (0.44, 0.24)], 0.01, "#3a3d40")
    c.polygon([(0.3, 0.26), (0.7, 0.26), (0.72, 0.3), (0.28, 0.3)], "#d7d2c4", "#9c978a")
    c.rect(0.28, 0.3, 0.72, 0.6, "#f2e6c4", "#e4d2a2")
    c.rect(0.27, 0.58, 0.73, 0.84, "#3f8f5a", "#1f5a37")
    c.rect(0.27, 0.575, 0.73, 0.6, "#d8a23a")
    for left, right in ((0.3, 0.42), (0.435, 0.565), (0.58, 0.7)):
        c.rect(left, 0.34, right, 0.54, "#4c6472", "#9fb8c2")
        c.polygon(
            [(left + 0.02, 0.34), (left + 0.06, 0.34), (left + 0.02, 0.54), (left, 0.54), (left, 0.48)], "#b9cfd8"
        )
    for x in (0.34, 0.66):
        c.glow(x, 0.7, 0.12, "#fff3c0", 0.8)
        c.ball(x, 0.7, 0.035, "#fffbe6", "#e0c060")
    c.rect(0.36, 0.84, 0.64, 0.9, "#2b2b2c", "#151516")


def umbrellas(c: Canvas) -> None:
    c.gradient("#6d7b88", "#8b98a2", "#56626c")
    c.blur(0.02)
    for x, y in c.scatter(22, 0, 1, 0.0, 0.5):
        c.glow(x, y, c.between(0.06, 0.14), c.one_of(["#ffd08a", "#ff9a7a", "#bfe0ff", "#a4f0c8"]), 0.6)
    c.gradient("#4a545c", "#2d353b", top=0.68)
    c.texture(0.5, top=0.68, cells=(4, 22))
    for x, y, radius, colour in (
        (0.2, 0.5, 0.2, "#d9433c"),
        (0.78, 0.44, 0.18, "#3c72c4"),
        (0.5, 0.62, 0.25, "#f0c63c"),
    ):
        c.line([(x, y - radius * 0.9), (x, y + radius * 1.1)], 0.012, "#2c2a28")
        half = [(px, min(py, y)) for px, py in c.ring(x, y, radius, radius, 180, part=0.5)]
        c.polygon(half, mix(colour, "#ffffff", 0.25), colour, mix(colour, "#000000", 0.35))
        for rib in (-60, -30, 0, 30, 60):
            c.line([(x, y - radius), c.polar(x, y, radius, 270 + rib * 1.45)], 0.004, mix(colour, "#000000", 0.35))
        c.soft(c.ring(x, y + radius * 1.2 + 0.08, radius * 0.8, 0.05), colour, 0.03, 0.45)
    for x, y in c.scatter(240, 0, 1, -0.1, 1):
        c.line([(x, y), (x - 0.008, y + 0.05)], 0.002, "#c9d4dc")


def vending(c: Canvas) -> None:
    c.gradient("#070b18", "#121a30", "#1a2034")
    c.rect(0, 0.08, 0.2, 0.8, "#1b2233", "#0e1320")
    c.gradient("#23262e", "#15171c", top=0.8)
    c.texture(0.4, top=0.8, cells=(10, 6))
    c.glow(0.5, 0.45, 0.9, "#9fc8ff", 0.5)
    for left, colour in ((0.24, "#e8ecf2"), (0.54, "#d23a34")):
        c.rect(left, 0.14, left + 0.26, 0.86, mix(colour, "#ffffff", 0.2), mix(colour, "#000000", 0.35))
        c.rect(left + 0.02, 0.18, left + 0.24, 0.58, "#f6fbff", "#cfe4f6")
        for row in range(3):
            for column in range(7):
                x, y = left + 0.036 + column * 0.031, 0.205 + row * 0.13
                can = c.one_of(["#d8412f", "#2f6fc4", "#3f9a58", "#e0a63a", "#6b4a34", "#30343c", "#7ac0d8"])
                c.rect(x - 0.011, y, x + 0.011, y + 0.085, mix(can, "#ffffff", 0.35), can)
            c.rect(left + 0.02, 0.295 + row * 0.13, left + 0.24, 0.307 + row * 0.13, "#8f9aa6")
        c.rect(left + 0.04, 0.7, left + 0.22, 0.8, "#1c1f26", "#2c313a")
        c.soft([(left, 0.88), (left + 0.26, 0.88), (left + 0.3, 1.0), (left - 0.04, 1.0)], "#a8cdf2", 0.03, 0.5)
    c.line([(0.9, 0.0), (0.9, 0.84)], 0.02, "#2a2e36")
    c.glow(0.9, 0.06, 0.4, "#ffdca0", 0.9)


def laundry(c: Canvas) -> None:
    c.gradient("#4fa3e3", "#9fd0f0", "#e4f3fa", bottom=0.9)
    c.clouds("#ffffff", 0.25, bottom=0.8, cells=(2, 3))
    for x in (0.08, 0.92):
        c.line([(x, 0.1), (x, 1.0)], 0.024, "#a8adb0")
    for y in (0.16, 0.22):
        c.line([(0.02, y), (0.98, y)], 0.012, "#c9ced0")
    cloths = [
        (0.13, 0.3, 0.62, "#fdfdfb"),
        (0.33, 0.46, 0.5, "#e86a5c"),
        (0.49, 0.68, 0.7, "#f4f1e6"),
        (0.71, 0.86, 0.54, "#5a8fd0"),
    ]
    for left, right, low, colour in cloths:
        sway = c.between(-0.02, 0.03)
        hem = [(right + sway, low), ((left + right) / 2 + sway, low + 0.02), (left + sway, low)]
        c.polygon([(left, 0.2), (right, 0.2), *hem], colour, mix(colour, "#5a6a80", 0.3))
        for fold in range(1, 5):
            x = left + (right - left) * fold / 5
            c.soft([(x, 0.24), (x + 0.012, 0.24), (x + 0.02 + sway, low), (x + sway, low)], "#6a7a90", 0.008, 0.45)
        for peg in (left + 0.015, right - 0.015):
            c.rect(peg - 0.006, 0.18, peg + 0.006, 0.24, c.one_of(["#f2b53a", "#4fae78", "#e86a8c"]))
    c.gradient("#d9d4c8", "#b5afa2", top=0.9)
    for bar in range(24):
        c.line([(bar / 23, 0.8), (bar / 23, 1.0)], 0.008, "#f0eee8")
    c.line([(0, 0.8), (1, 0.8)], 0.024, "#f7f5f0")


def bicycle(c: Canvas) -> None:
    c.gradient("#d8b08a", "#c59a74", "#b98c66", bottom=0.78)
    c.texture(0.18, bottom=0.78, cells=(10, 10))
    for x, y in c.scatter(80, 0, 1, 0, 0.34):
        c.oval(x, y, 0.04, 0.03, c.one_of(["#4f8a3c", "#6ba64c", "#3c7030", "#87b85c"]), turn=c.between(0, 180))
    c.gradient("#a9a49a", "#7f7a70", top=0.76)
    c.soft([(0.14, 0.86), (0.88, 0.86), (0.8, 0.92), (0.2, 0.92)], "#2c2822", 0.02, 0.7)
    for x in (0.28, 0.72):
        c.line([*c.ring(x, 0.68, 0.19, 0.19), c.ring(x, 0.68, 0.19, 0.19)[0]], 0.022, "#26272a")
        for spoke in range(16):
            c.line([(x, 0.68), c.polar(x, 0.68, 0.18, spoke * 22.5)], 0.002, "#cfd2d4")
        c.oval(x, 0.68, 0.022, 0.022, "#8c9094")
    frame = "#2f8f86"
    rear, front, pedals, seat, head = (0.28, 0.68), (0.72, 0.68), (0.48, 0.7), (0.4, 0.46), (0.63, 0.44)
    for tube in (
        (rear, seat, head),
        (rear, pedals, seat),
        (pedals, head, front),
        (head, (0.61, 0.34)),
        (seat, (0.385, 0.38)),
    ):
        c.line(tube, 0.02, frame)
    c.oval(0.385, 0.37, 0.07, 0.022, "#4a2f22")
    c.line([(0.61, 0.34), (0.56, 0.3), (0.53, 0.32)], 0.014, "#c9ccce")
    c.polygon([(0.66, 0.34), (0.8, 0.34), (0.78, 0.48), (0.68, 0.48)], "#caa46a", "#8f6c3c")
    for weave in range(6):
        c.line([(0.665 + weave * 0.024, 0.34), (0.682 + weave * 0.019, 0.48)], 0.004, "#6f5230")


def kotatsu(c: Canvas) -> None:
    c.gradient("#d9cba8", "#c4b085", bottom=0.35)
    for line in (0.25, 0.5, 0.75):
        c.line([(line, 0), (line, 0.34)], 0.014, "#8f6f48")
    c.gradient("#b8a868", "#9c8c50", top=0.34)
    for row in range(40):
        c.line([(0, 0.34 + row * 0.017), (1, 0.34 + row * 0.017)], 0.003, "#8c7c44")
    c.polygon([(0.02, 0.92), (0.2, 0.46), (0.8, 0.46), (0.98, 0.92), (0.9, 1.02), (0.1, 1.02)], "#b83a3a", "#7a2026")
    for x, y in c.scatter(40, 0.08, 0.92, 0.62, 1.0):
        c.oval(x, y, 0.028, 0.018, c.one_of(["#e8c46a", "#f0e0c0", "#d86a5a"]))
    c.polygon([(0.12, 0.72), (0.24, 0.44), (0.76, 0.44), (0.88, 0.72)], "#a06a3a", "#7c4c26")
    c.polygon([(0.12, 0.72), (0.88, 0.72), (0.88, 0.76), (0.12, 0.76)], "#5c3818")
    c.soft(c.ring(0.5, 0.64, 0.24, 0.05), "#2a1408", 0.02, 0.7)
    c.oval(0.5, 0.62, 0.23, 0.07, "#c9a05c", "#8f6a34")
    for x, y in ((0.42, 0.56), (0.58, 0.56), (0.5, 0.57), (0.46, 0.48), (0.54, 0.48), (0.5, 0.4)):
        c.ball(x, y, 0.078, "#ffc04a", "#d86a10", flat=0.88)
        c.oval(x, y - 0.055, 0.012, 0.006, "#5a7a2a")
    c.oval(0.77, 0.62, 0.06, 0.025, "#e8e4da", "#b8b2a4")
    c.oval(0.77, 0.615, 0.048, 0.018, "#8fa84a")


def satchel(c: Canvas) -> None:
    c.gradient("#f4ead8", "#e4d2b4", bottom=0.7)
    c.soft([(0.6, 0.0), (1.0, 0.0), (0.7, 0.7), (0.35, 0.7)], "#fff9e4", 0.04, 0.8)
    c.gradient("#b8875a", "#8f6038", top=0.68)
    c.texture(0.25, top=0.68, cells=(2, 16))
    c.soft(c.ring(0.5, 0.9, 0.4, 0.05), "#3c2410", 0.03, 0.7)
    for side in (-1, 1):
        c.line([(0.5 + side * 0.12, 0.2), (0.5 + side * 0.29, 0.36), (0.5 + side * 0.28, 0.8)], 0.035, "#8f1a1c")
    c.rect(0.29, 0.26, 0.71, 0.9, "#c02428", "#7c1216")
    c.oval(0.5, 0.3, 0.28, 0.14, "#e8484a", "#c02428")
    c.rect(0.29, 0.3, 0.71, 0.74, "#e03c3e", "#b01e22")
    c.oval(0.5, 0.74, 0.28, 0.09, "#b01e22", "#9a161a")
    c.soft([(0.33, 0.32), (0.4, 0.3), (0.38, 0.7), (0.33, 0.68)], "#ff9a94", 0.02, 0.6)
    c.line(c.ring(0.5, 0.66, 0.25, 0.12, part=0.5), 0.006, "#f6c0b4")
    c.rect(0.46, 0.78, 0.54, 0.88, "#e8d49a", "#a5853c")
    c.ball(0.5, 0.83, 0.022, "#fff2c0", "#8c6a28")
