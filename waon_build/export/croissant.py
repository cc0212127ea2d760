"""The Croissant 1.1 description of a release: JSON-LD with its files, fields, splits, provenance (PROV-O)
and the Responsible AI fields. Sources: mlcommons.org/croissant/1.1 and mlcommons.org/croissant/RAI/1.0."""

from __future__ import annotations

import json
import tomllib
from importlib import resources
from string import Template
from typing import Any

import pyarrow as pa

import waon_build
from waon_build.export.facts import Facts, sources
from waon_build.export.sample import FIELDS, PLACES, Field

FILE = "croissant.json"
CONFORMS_TO = ["http://mlcommons.org/croissant/1.1", "http://mlcommons.org/croissant/RAI/1.0"]

_TYPES = {pa.string(): "sc:Text", pa.int64(): "sc:Integer", pa.float64(): "sc:Float"}
_MEDIA = {"jpg": "image/jpeg", "png": "image/png", "webp": "image/webp"}
_SPLITS = {"train": "cr:TrainingSplit", "validation": "cr:ValidationSplit", "test": "cr:TestSplit"}
_JUDGED = ("annotations", "match", "culture", "category", "posterior", "native_caption")


def croissant(facts: Facts) -> bytes:
    """`croissant.json` of a release. Its paths are relative to itself."""
    shared = tomllib.loads(resources.files(__package__).joinpath("croissant.toml").read_text(encoding="utf-8"))
    recipe = facts.recipe
    known = {
        "creator": {"@type": "sc:Organization", "name": recipe.export.creator} if recipe.export.creator else None,
        "datePublished": facts.published,
    }
    data = {
        "@context": shared["context"],
        "@type": "sc:Dataset",
        "conformsTo": CONFORMS_TO,
        "name": recipe.name,
        "description": f"{sum(facts.samples.values()):,} pairs of an image and a caption in {recipe.language}, "
        "found on the web and accepted by native speakers.",
        "license": recipe.export.licence,
        "url": facts.homepage or "./",
        "version": "1.0.0",
        "citeAs": _citation(facts),
        "alternateName": facts.title,
        "identifier": facts.name,
        "inLanguage": recipe.language,
        "keywords": ["image-text", "webdataset", recipe.language],
        "isLiveDataset": False,
        **{key: value for key, value in known.items() if value},
        "prov:wasDerivedFrom": [{"@type": "prov:Entity", "prov:label": source} for source in sources(recipe)],
        "prov:wasGeneratedBy": _activity(f"waon_build {waon_build.__version__}: crawl, filters, deduplication"),
        **{f"rai:{key}": value for key, value in _filled(shared["rai"], _words(facts)).items() if value},
        "distribution": _distribution(facts),
        "recordSet": _record_sets(facts),
    }
    return (json.dumps(data, ensure_ascii=False, indent=1) + "\n").encode()


def _citation(facts: Facts) -> str:
    known = {
        "title": facts.title,
        "author": facts.recipe.export.creator,
        "year": facts.published[:4],
        "url": facts.homepage,
        "note": f"Release {facts.name}",
    }
    entries = ", ".join(f"{key} = {{{value}}}" for key, value in known.items() if value)
    return f"@misc{{{facts.recipe.name}, {entries}}}"


def _words(facts: Facts) -> dict[str, Any]:
    recipe, known = facts.recipe, facts.provenance
    guidelines = ", ".join(f"{name} {version}" for name, version in sorted(known.guidelines.items()))
    agreement = ", ".join(f"{question} {value:.3f}" for question, value in sorted(known.agreement.items()))
    return {
        "sources": "; ".join(sources(recipe)),
        "language": recipe.language,
        "shortest_side": recipe.fetch.shortest_side,
        **recipe.dedup.model_dump(include={"radius", "second_radius", "keep_per_cluster"}),
        **recipe.annotation.model_dump(include={"overlap", "max_overlap", "min_match"}),
        "annotators": f"{known.annotators} native speakers" if known.annotators else "Native speakers",
        "guidelines": guidelines or recipe.annotation.guideline,
        "agreement": f"Krippendorff's alpha: {agreement}." if agreement else "",
        "contact": f"Write to {recipe.fetch.contact}." if recipe.fetch.contact else "",
    }


def _filled(prose: Any, words: dict[str, Any]) -> Any:
    """`prose` with its words filled in, and without what is then empty."""
    if isinstance(prose, dict):
        return {key: _filled(value, words) for key, value in prose.items()}
    if isinstance(prose, list):
        return [text for text in (_filled(value, words) for value in prose) if text]
    return Template(prose).substitute(words).strip()


def _distribution(facts: Facts) -> list[dict[str, Any]]:
    files = [file for file in facts.files if file.name.endswith((".tar", ".parquet"))]
    objects = [
        {
            "@type": "cr:FileObject",
            "@id": file.name,
            "name": file.name,
            "contentUrl": file.name,
            "contentSize": f"{file.size} B",
            "encodingFormat": "application/x-tar" if file.name.endswith(".tar") else "application/x-parquet",
            "sha256": file.sha256,
        }
        for file in files
    ]
    images = {
        "@type": "cr:FileSet",
        "@id": "images",
        "name": "images",
        "description": "The images of all samples.",
        "containedIn": [{"@id": file.name} for file in files if file.name.endswith(".tar")],
        "encodingFormat": _MEDIA[facts.format],
        "includes": f"*.{facts.format}",
    }
    rows = {
        "@type": "cr:FileSet",
        "@id": "rows",
        "name": "rows",
        "description": "One row a sample: the Parquet files beside this description.",
        "encodingFormat": "application/x-parquet",
        "includes": "*.parquet",
    }
    return [*objects, images, rows]


def _record_sets(facts: Facts) -> list[dict[str, Any]]:
    splits = {
        "@type": "cr:RecordSet",
        "@id": "splits",
        "name": "splits",
        "description": "Drawn by cluster: no picture is in two.",
        "dataType": "cr:Split",
        "key": {"@id": "splits/name"},
        "field": [
            {"@type": "cr:Field", "@id": "splits/name", "name": "name", "dataType": "sc:Text"},
            {"@type": "cr:Field", "@id": "splits/url", "name": "url", "dataType": "sc:URL"},
        ],
        "data": [{"splits/name": split, "splits/url": _SPLITS.get(split, "")} for split in facts.samples],
    }
    samples = {
        "@type": "cr:RecordSet",
        "@id": "samples",
        "name": "samples",
        "description": "One record a sample.",
        "key": {"@id": "samples/pair_id"},
        "field": [
            {
                "@type": "cr:Field",
                "@id": "samples/image",
                "name": "image",
                "description": "The stored image.",
                "dataType": "sc:ImageObject",
                "source": {"fileSet": {"@id": "images"}, "extract": {"fileProperty": "content"}},
            },
            *(_field(field) for field in (*FIELDS, *PLACES) if field.name != "rights"),
        ],
    }
    return [splits, samples]


def _field(field: Field) -> dict[str, Any]:
    """A field of the samples, from the column of the Parquet file. (The column `rights` is a list of
    structures and is left to readers of Parquet.)"""
    described: dict[str, Any] = {
        "@type": "cr:Field",
        "@id": f"samples/{field.name}",
        "name": field.name,
        "description": field.what,
        "dataType": _TYPES[field.type],
        "source": {"fileSet": {"@id": "rows"}, "extract": {"column": field.name}},
    }
    if field.name == "pair_id":
        described["source"] = {
            "fileSet": {"@id": "images"},
            "extract": {"fileProperty": "filename"},
            "transform": {"regex": r"([0-9a-f]+)(?:\.\w+)?"},
        }
        described["references"] = {"fileSet": {"@id": "rows"}, "extract": {"column": "pair_id"}}
    if field.name == "split":
        described["references"] = {"field": {"@id": "splits/name"}}
    if field.name in _JUDGED:
        described["prov:wasGeneratedBy"] = _activity("Judgement by native speakers")
    return described


def _activity(label: str) -> dict[str, str]:
    return {"@type": "prov:Activity", "prov:label": label}
