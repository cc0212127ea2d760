"""The dataset card: `README.md` with the header that Hugging Face reads, and the prose of `card.md`.

Its figures come from the release; nothing in it is typed by hand.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import resources
from string import Template
from typing import Any

import yaml

import waon_build
from waon_build.export.facts import Facts, sources
from waon_build.export.sample import FIELDS, PLACES
from waon_build.recipe import AnnotationSettings

FILE = "README.md"
_SIZES = (1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000, 1_000_000_000)
_WORDS = ("1K", "10K", "100K", "1M", "10M", "100M", "1B")


def card(facts: Facts) -> bytes:
    """`README.md` of a release."""
    text = Template(resources.files(__package__).joinpath("card.md").read_text(encoding="utf-8"))
    recipe, samples = facts.recipe, facts.samples
    split = next(iter(samples))
    last = max(int(shard.name[-6:]) for shard in facts.shards if shard.split == split)
    shards = f"{{000000..{last:06d}}}" if last else "000000"
    body = text.substitute(
        title=facts.title,
        samples=f"{sum(samples.values()):,}",
        language=recipe.language,
        name=facts.name,
        corpus=recipe.name,
        version=waon_build.__version__,
        splits="\n".join(
            f"| {name} | {count:,} | {sum(shard.split == name for shard in facts.shards):,} |"
            for name, count in samples.items()
        ),
        first_split=split,
        first_shards=f"{recipe.name}-{split}-{shards}.tar",
        format=facts.format,
        fields=_fields(),
        shortest_side=recipe.fetch.shortest_side,
        sources="\n".join(f"- {_cell(source)}" for source in sources(recipe)),
        funnel=_funnel(facts.provenance.funnel),
        radius=recipe.dedup.radius,
        second_radius=recipe.dedup.second_radius,
        keep_per_cluster=recipe.dedup.keep_per_cluster,
        annotation=_annotation(facts, recipe.annotation),
        kept=f"{facts.accepted.kept:,}",
        withheld=_withheld(facts.accepted.dropped),
        licence=recipe.export.licence,
        contact=f"Write to {recipe.fetch.contact}." if recipe.fetch.contact else "Write to whoever gave you this.",
    )
    return f"---\n{_header(facts)}---\n\n{body}".encode()


def _header(facts: Facts) -> str:
    header = {
        "pretty_name": facts.title,
        "language": [facts.recipe.language],
        "license": facts.recipe.export.licence,
        "task_categories": ["image-to-text", "text-to-image", "zero-shot-image-classification"],
        "size_categories": [_size(sum(facts.samples.values()))],
        "tags": ["webdataset", "image-text", "croissant"],
        "configs": [
            {
                "config_name": "default",
                "data_files": [
                    {"split": split, "path": f"{facts.recipe.name}-{split}-*.tar"} for split in facts.samples
                ],
            }
        ],
    }
    return yaml.safe_dump(header, allow_unicode=True, sort_keys=False)


def _size(samples: int) -> str:
    """Hugging Face's word for a number of samples."""
    if samples < _SIZES[0]:
        return "n<1K"
    for low, high, bound in zip(_WORDS, _WORDS[1:], _SIZES[1:], strict=False):
        if samples < bound:
            return f"{low}<n<{high}"
    return "n>1B"


def _fields() -> str:
    lines = [f"| `{field.name}` | {field.type} | {field.what} |" for field in FIELDS]
    lines += [f"| `{field.name}` (Parquet only) | {field.type} | {field.what} |" for field in PLACES]
    return "\n".join(lines)


def _funnel(steps: Sequence[Mapping[str, Any]]) -> str:
    if not steps:
        return "(This release was made without the funnel of its corpus.)"
    lines = ["| step | of | read | kept | dropped, by reason |", "| --- | --- | ---: | ---: | --- |"]
    for step in steps:
        dropped = ", ".join(f"{reason} {count:,}" for reason, count in step["dropped"].items())
        lines.append(f"| {step['stage']} | {step['unit']} | {step['read']:,} | {step['kept']:,} | {dropped} |")
    return "\n".join(lines)


def _annotation(facts: Facts, settings: AnnotationSettings) -> str:
    known = facts.provenance
    people = f"{known.annotators} annotators" if known.annotators else "Annotators"
    text = (
        f"{people} judged each pair on their own, {settings.overlap} of them at first and up to {settings.max_overlap} "
        "where they disagreed. A pair is accepted when their median answer to whether the caption says what the "
        f"picture shows is at least {settings.min_match} of 3, and none of them flagged it as harmful or as showing "
        "personal data: one person's flag rejects it."
    )
    if known.guidelines:
        versions = ", ".join(f"`{name}` {version}" for name, version in sorted(known.guidelines.items()))
        text += f" They read the guidelines {versions}."
    if known.agreement:
        measures = ", ".join(f"{question} {value:.3f}" for question, value in sorted(known.agreement.items()))
        text += f" Agreement beyond chance (Krippendorff's alpha): {measures}."
    return text


def _withheld(dropped: Mapping[str, int]) -> str:
    if not dropped:
        return ""
    return "; left out: " + ", ".join(f"{count:,} {reason}" for reason, count in sorted(dropped.items()))


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
