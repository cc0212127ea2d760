"""The Croissant description: valid for its own validator, and good enough to load the records by."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from waon_build.export.release import Provenance, export


@pytest.fixture
def described(made: Any) -> tuple[Path, dict[str, Any]]:
    settings = made.recipe.model_dump()
    settings["export"] |= {"creator": "旅の記録の会", "published": "2025-03-01", "licence": "cc-by-4.0"}
    recipe = type(made.recipe).model_validate(settings)
    known = Provenance(guidelines={"ja": "1.0"}, annotators=3, agreement={"match": 0.7})
    release = Path(export(recipe, made.corpus, made.accepted, provenance=known).url)
    return release, json.loads((release / "croissant.json").read_bytes())


def test_files_are_described_with_their_sha256_and_size(described: tuple[Path, dict[str, Any]]) -> None:
    release, data = described
    sums = dict(reversed(line.split("  ")) for line in (release / "SHA256SUMS").read_text().splitlines())
    objects = [entry for entry in data["distribution"] if entry["@type"] == "cr:FileObject"]
    assert len(objects) == 6
    for entry in objects:
        assert entry["sha256"] == sums[entry["contentUrl"]]
        assert entry["contentSize"] == f"{(release / entry['contentUrl']).stat().st_size} B"


def test_every_word_is_of_the_context(described: tuple[Path, dict[str, Any]]) -> None:
    """A key that the context does not define would be read as schema.org's, whatever it means."""
    _, data = described
    schema_org = {"license", "url", "version", "alternateName", "identifier", "inLanguage", "keywords", "creator"}
    schema_org |= {"datePublished", "distribution", "contentUrl", "contentSize", "encodingFormat", "sha256"}

    def keys(value: Any) -> set[str]:
        if isinstance(value, list):
            return set().union(*map(keys, value)) if value else set()
        if not isinstance(value, dict):
            return set()
        below = [keys(inner) for key, inner in value.items() if key != "data"]
        return set(value).union(*below)

    found = keys({key: value for key, value in data.items() if key != "@context"})
    unknown = {key for key in found if not key.startswith(("@", "rai:", "prov:")) and key not in data["@context"]}
    assert unknown <= schema_org


def test_the_structure_is_that_of_published_descriptions(
    described: tuple[Path, dict[str, Any]], shared_data: Path
) -> None:
    """Every kind of node has the keys that all real ones of its kind have."""
    _, data = described

    def nodes(value: Any) -> list[dict[str, Any]]:
        if isinstance(value, list):
            return [node for inner in value for node in nodes(inner)]
        if not isinstance(value, dict):
            return []
        own = [value] if "@type" in value and "@id" in value else []
        return own + [node for inner in value.values() for node in nodes(inner)]

    needed: dict[str, set[str]] = {}
    for path in sorted((shared_data / "peers" / "croissant" / "datasets").glob("1.0/*/metadata.json")):
        for node in nodes(json.loads(path.read_bytes())):
            kind = node["@type"]
            if isinstance(kind, str) and kind.startswith("cr:"):
                needed[kind] = needed.get(kind, set(node)) & set(node)
    assert {"cr:FileObject", "cr:FileSet", "cr:RecordSet", "cr:Field"} <= set(needed)
    for node in nodes(data):
        assert needed.get(node["@type"], set()) <= set(node), node["@id"]


@pytest.mark.slow
def test_its_validator_finds_nothing_to_say(described: tuple[Path, dict[str, Any]]) -> None:
    mlcroissant = pytest.importorskip("mlcroissant")
    metadata = mlcroissant.Dataset(jsonld=str(described[0] / "croissant.json")).metadata
    assert metadata.ctx.issues.errors == set()
    assert metadata.ctx.issues.warnings == set()
    assert metadata.annotations_per_item == "2 to 5"
    assert "ja 1.0" in str(metadata.data_annotation_protocol)
    assert metadata.personal_sensitive_information


@pytest.mark.slow
def test_the_records_can_be_loaded_by_it(described: tuple[Path, dict[str, Any]], made: Any) -> None:
    """Images out of the tars, joined to the Parquet rows by pair_id."""
    mlcroissant = pytest.importorskip("mlcroissant")
    dataset = mlcroissant.Dataset(jsonld=str(described[0] / "croissant.json"))
    records = {record["samples/pair_id"].decode(): record for record in dataset.records("samples")}
    assert set(records) == set(made.rows)
    for key, record in records.items():
        row = made.rows[key]
        assert record["samples/caption"].decode() == row["caption"]
        assert record["samples/image"].size == (row["width"], row["height"])
    assert [record["splits/name"] for record in dataset.records("splits")] == ["train", "validation"]


def test_a_date_that_nobody_gave_is_not_there(made: Any) -> None:
    release = Path(export(made.recipe, made.corpus, made.accepted).url)
    assert "datePublished" not in json.loads((release / "croissant.json").read_bytes())
