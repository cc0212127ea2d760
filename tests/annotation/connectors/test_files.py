"""A file tells which tool wrote it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from waon_build.annotation.connectors.files import kind_of
from waon_build.annotation.connectors.tools import FileKind
from waon_build.records import InputError


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("labelstudio.json", FileKind.LABEL_STUDIO),
        ("labelstudio_min.json", FileKind.LABEL_STUDIO),
        ("potato", FileKind.POTATO),
        ("potato/annotation_output/taro/user_state.json", FileKind.POTATO),
        ("potato/annotations.jsonl", FileKind.POTATO),
        ("potato/annotations.csv", FileKind.POTATO),
        ("potato/annotations.tsv", FileKind.POTATO),
    ],
)
def test_a_recorded_file_tells_what_wrote_it(recorded: Path, name: str, kind: FileKind) -> None:
    assert kind_of(str(recorded / name)) is kind


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("", FileKind.JSONL),
        ("\n \n", FileKind.JSONL),
        ('{"pair_id": "0", "annotator": "x", "match": 3}', FileKind.JSONL),
        ("{not json", FileKind.JSONL),
        ("7", FileKind.JSONL),
        ("\ufeff\n[]", FileKind.LABEL_STUDIO),
        ('{"user_id": "x", "instance_id_to_label_to_value": {}}', FileKind.POTATO),
    ],
)
def test_what_a_file_begins_with_tells(tmp_path: Path, text: str, kind: FileKind) -> None:
    path = tmp_path / "answers"
    path.write_text(text, encoding="utf-8")
    assert kind_of(str(path)) is kind


def test_what_is_no_text_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "answers").write_bytes(b"\xff\xfe" * 20)
    with pytest.raises(InputError, match="is not UTF-8 text"):
        kind_of(str(tmp_path / "answers"))


def test_what_is_said_of_a_file_counts_more_than_what_it_looks_like(
    six_pairs: None, take_in: Callable[..., dict[str, Any]]
) -> None:
    line = {"pair_id": f"{0:016x}", "annotator": "x", "match": 3, "culture": "not"}
    with pytest.raises(InputError, match="is not an export of Label Studio"):
        take_in(json.dumps(line), kind=FileKind.LABEL_STUDIO)
    assert take_in(json.dumps(line), "answers.csv", FileKind.JSONL)["kept"] == 1
