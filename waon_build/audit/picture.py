"""The funnel as a picture: an SVG that a README, a report or a browser can show.

One bar a step, as long as the share of its rows that went on, with what was dropped beside it. The bars
are of different units, so their lengths compare a step with itself, not with its neighbours.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from waon_build.audit.funnel import Step, most_frequent

WIDTH = 1140
ROW = 34
LABEL = 250
BAR = 300
TOP = 64
REASONS = 3
"""Reasons named beside a bar; the rest are summed."""


def svg(steps: Sequence[Step], title: str) -> str:
    """The picture of a funnel, as the text of an SVG file."""
    height = TOP + ROW * len(steps) + 16
    rows = "\n".join(_row(step, TOP + ROW * index) for index, step in enumerate(steps))
    name = escape(title)
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{name}">
<style>
  svg {{ font: 13px system-ui, "Noto Sans", "Noto Sans CJK JP", sans-serif; }}
  .paper {{ fill: #fff; }} .title {{ font-size: 18px; font-weight: 600; fill: #1c2733; }}
  .step {{ font-weight: 600; fill: #1c2733; }} .small {{ fill: #5b6875; font-size: 12px; }}
  .read {{ fill: #e3e8ee; }} .kept {{ fill: #2f6f9f; }} .number {{ fill: #fff; font-size: 12px; font-weight: 600; }}
</style>
<rect class="paper" width="{WIDTH}" height="{height}"/>
<text class="title" x="20" y="32">{name}</text>
<text class="small" x="20" y="50">dark: went on; light: dropped, with its reasons</text>
{rows}
</svg>
"""


def _row(step: Step, y: int) -> str:
    counts = step.counts
    share = counts.kept / counts.read if counts.read else 0.0
    dropped = most_frequent(counts.dropped)
    named = [f"{reason.replace('_', ' ')} {number:,}" for reason, number in dropped[:REASONS]]
    rest = sum(number for _, number in dropped[REASONS:])
    beside = ", ".join(named + ([f"others {rest:,}"] if rest else []))
    kept = f"{counts.kept:,} of {counts.read:,}"
    inside = share * BAR > 110
    style, at = ("number", LABEL + 8) if inside else ("small", LABEL + share * BAR + 8)
    return f"""<g transform="translate(0 {y})">
  <text class="step" x="20" y="18">{escape(step.stage)}</text>
  <text class="small" x="90" y="18">{escape(step.unit)}</text>
  <rect class="read" x="{LABEL}" y="4" width="{BAR}" height="20" rx="3"/>
  <rect class="kept" x="{LABEL}" y="4" width="{share * BAR:.1f}" height="20" rx="3"/>
  <text class="{style}" x="{at:.1f}" y="18">{kept}</text>
  <text class="small" x="{LABEL + BAR + 14}" y="18">{escape(beside)}</text>
</g>"""
