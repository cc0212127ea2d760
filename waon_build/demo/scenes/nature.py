"""Plants and seasons."""

from __future__ import annotations

from waon_build.demo.brushes import Canvas, mix
from waon_build.demo.motifs import blossom, branches, maple_leaf


def bamboo(c: Canvas) -> None:
    c.gradient("#d8ecA0", "#8cb85c", "#4c7a38", "#2f5528")
    c.glow(0.5, 0.3, 0.7, "#f4ffc8", 0.7)
    for layer, count in ((0.35, 18), (0.65, 12), (1.0, 9)):
        for number in range(count):
            x = (number + c.between(0.1, 0.9)) / count
            lean, wide = c.between(-0.015, 0.015), 0.008 + 0.014 * layer
            green = mix("#a8cc78", "#3c7030", layer * c.between(0.7, 1))
            c.polygon([(x - wide, 1.0), (x + wide, 1.0), (x + lean + wide * 0.8, 0), (x + lean - wide * 0.8, 0)], green)
            top = x + lean
            shine = [(x - wide * 0.7, 1.0), (x - wide * 0.2, 1.0), (top - wide * 0.1, 0), (top - wide * 0.6, 0)]
            c.polygon(shine, mix(green, "#f0ffc8", 0.4))
            for joint in range(7):
                y = (joint + c.between(0.2, 0.5)) / 7
                at = x + lean * (1 - y)
                c.line([(at - wide, y), (at + wide, y)], 0.008, mix(green, "#1c3014", 0.5))
    for x, y in c.scatter(170, 0, 1, 0, 0.3):
        c.oval(x, y, 0.05, 0.009, c.one_of(["#7cac48", "#a4cc64", "#5c8c38"]), turn=c.between(20, 160))
    c.polygon([(0.42, 1.01), (0.485, 0.62), (0.515, 0.62), (0.62, 1.01)], "#d8ccA0", "#a89464")


def sakura(c: Canvas) -> None:
    c.gradient("#6fb4ec", "#a8d4f4", "#dceefa")
    tips = branches(c, 0.08, 1.05, 0.3, 305, 0.05, "#4a342c")
    tips += branches(c, 1.02, 0.72, 0.26, 215, 0.036, "#4a342c")
    tips += branches(c, 0.3, -0.04, 0.2, 55, 0.02, "#54403a")
    for x, y in tips:
        c.soft(c.ring(x, y, 0.09, 0.07), "#fbd4e0", 0.015, 0.6)
    for x, y in tips:
        for _ in range(3):
            blossom(c, x + c.between(-0.03, 0.03), y + c.between(-0.04, 0.04), c.between(0.028, 0.045),
                    c.one_of(["#fde4ec", "#f9c8d8", "#ffeef4"]), "#d86a8c")  # fmt: skip
    for x, y in c.scatter(36, 0, 1, 0.3, 1):
        c.oval(x, y, 0.012, 0.007, "#fbd8e4", turn=c.between(0, 180))


def momiji(c: Canvas) -> None:
    c.gradient("#f0c060", "#c8843c", "#5c3c24")
    for x, y in c.scatter(40, 0, 1, 0, 1):
        c.soft(c.ring(x, y, 0.12, 0.1), c.one_of(["#f4a43c", "#e86a2c", "#f8d070", "#9c5c2c"]), 0.04, 0.6)
    c.line([(0.0, 0.12), (0.4, 0.24), (0.98, 0.2)], 0.02, "#4a2c1c")
    c.line([(0.36, 0.23), (0.6, 0.44), (0.7, 0.7)], 0.012, "#4a2c1c")
    for x, y in c.scatter(48, 0.02, 0.98, 0.06, 0.86):
        if y < 0.34 or 0.36 < x < 0.84:
            maple_leaf(
                c,
                x,
                y,
                c.between(0.08, 0.14),
                c.between(40, 140),
                c.one_of(["#d8281c", "#e8481c", "#b81c18", "#f0742c"]),
            )


def ajisai(c: Canvas) -> None:
    c.gradient("#2c4a34", "#3c6040", "#1c3424")
    for x, y in c.scatter(60, 0, 1, 0, 1):
        leaf = c.one_of(["#4c8244", "#3a6c3a", "#5f9850"])
        c.oval(x, y, 0.14, 0.08, mix(leaf, "#ffffff", 0.15), leaf, turn=c.between(0, 180))
    heads = [
        (0.24, 0.34, 0.24, "#6a8ce4"),
        (0.72, 0.3, 0.22, "#b484dc"),
        (0.46, 0.72, 0.27, "#7cb0f0"),
        (0.88, 0.78, 0.2, "#e094c8"),
    ]
    for x, y, radius, colour in heads:
        c.soft(c.ring(x, y + 0.03, radius, radius), "#0c1c14", 0.03, 0.7)
        for dx, dy in c.scatter(62, -1, 1, -1, 1):
            if dx * dx + dy * dy < 1:
                tone = mix(mix(colour, "#1c2c5c", 0.3), mix(colour, "#ffffff", 0.55), 0.5 - dy / 2)
                blossom(c, x + dx * radius * 0.72, y + dy * radius * 0.92, 0.05, tone, "#f4f0d0", 4)
    for x, y in c.scatter(50, 0, 1, 0, 1):
        c.oval(x, y, 0.006, 0.008, "#e4f4ff")


def sunflower(c: Canvas) -> None:
    c.gradient("#2f86d8", "#7cbcf0", bottom=0.4)
    c.clouds("#ffffff", 0.35, bottom=0.4, cells=(3, 2))
    c.gradient("#a8b83c", "#5c8430", "#3c6424", top=0.38)
    for x, y in c.scatter(70, 0, 1, 0.4, 1.02):
        size = 0.012 + 0.19 * (y - 0.38) ** 1.6
        c.line([(x, y), (x, y + size * 2.4)], size * 0.14, "#4c7a2c")
        c.oval(x + size * 0.4, y + size * 1.3, size * 0.7, size * 0.3, "#5f9438", turn=-30)
        for petal in range(16):
            c.oval(*c.polar(x, y, size * 0.72, petal * 22.5), size * 0.4, size * 0.15,
                   "#ffd02c" if petal % 2 else "#f4b41c", turn=petal * 22.5)  # fmt: skip
        c.ball(x, y, size * 0.46, "#7c5024", "#3c2410")


def lotus(c: Canvas) -> None:
    c.gradient("#3c6c5c", "#5c8c6c", "#2c5448")
    for x, y in c.scatter(34, -0.05, 1.05, 0.02, 1.05):
        size = 0.07 + 0.12 * y
        c.oval(x, y, size, size * 0.45, c.one_of(["#6ca05c", "#86b46c", "#55884c"]), "#3f6c3c")
        for vein in range(8):
            c.line(
                [(x, y), (x + size * 0.7 * (vein - 3.5) / 3.5 * 0.75, y + size * 0.4 * (1 if vein % 2 else -1))],
                0.002,
                "#9cc48c",
            )
    c.line([(0.46, 0.5), (0.44, 1.0)], 0.02, "#5c8848")
    for angle, length in ((200, 0.2), (340, 0.2), (222, 0.25), (318, 0.25), (245, 0.28), (295, 0.28), (270, 0.3)):
        middle = c.polar(0.46, 0.5, length * 0.52, angle)
        c.oval(
            *middle,
            length * 0.58,
            length * 0.22,
            mix("#fbe8f0", "#f4a0c4", 0.3 + 0.4 * (angle % 2)),
            "#f0a4c4",
            turn=angle,
        )
        c.line([(0.46, 0.5), c.polar(0.46, 0.5, length * 1.05, angle)], 0.003, "#e478a8")
    c.ball(0.46, 0.46, 0.055, "#f4e07c", "#c8a43c", flat=0.7)
    c.ball(0.82, 0.3, 0.075, "#fbd0e0", "#e478a8", flat=1.4)


def ginkgo(c: Canvas) -> None:
    c.gradient("#9cc8e8", "#e8eee0", bottom=0.5)
    c.gradient("#b89a3c", "#8f7a34", top=0.5)
    c.polygon([(0.0, 1.01), (0.47, 0.5), (0.53, 0.5), (1.0, 1.01)], "#c8b48c", "#a08c64")
    c.polygon([(0.0, 1.01), (0.0, 0.7), (0.47, 0.5), (0.2, 1.01)], "#f0cc3c", "#d8a824")
    c.polygon([(1.0, 1.01), (1.0, 0.7), (0.53, 0.5), (0.8, 1.01)], "#f0cc3c", "#d8a824")
    for step in range(7, 0, -1):
        near = 0.72 ** (step - 1)
        for side in (-1, 1):
            x, foot = 0.5 + side * 0.44 * near, 0.5 + 0.4 * near
            c.rect(x - 0.022 * near, foot - 0.5 * near, x + 0.022 * near, foot, "#5c4430", "#3c2c20")
            for dx, dy in c.scatter(44, -1, 1, -1, 1):
                if dx * dx + dy * dy < 1:
                    tone = mix("#fbe05c", "#c8941c", 0.5 + dy / 2 - side * dx * 0.2)
                    c.oval(x + dx * 0.17 * near, foot - 0.62 * near + dy * 0.34 * near, 0.07 * near, 0.055 * near, tone)
    for x, y in c.scatter(150, 0, 1, 0.56, 1):
        c.oval(x, y, 0.004 + 0.014 * (y - 0.5), 0.003 + 0.008 * (y - 0.5), c.one_of(["#ffe05c", "#e8b82c", "#f8d03c"]),
               turn=c.between(0, 180))  # fmt: skip
