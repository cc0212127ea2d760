"""What a run leaves for people: the command for failed parts does what it says when it is pasted."""

from __future__ import annotations

import shlex
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import pytest
from prefect.context import FlowRunContext

from flows.report import Report
from waon_build.cli.options import overrides_of
from waon_build.corpus import Corpus
from waon_build.recipe import Recipe

OVERRIDES: dict[str, Any] = {
    "fetch.contact": "me@example.org",
    "runtime.part_timeout_minutes": None,
    "runtime.workers": 3,
    "export.homepage": "0123",
    "sources": [{"kind": "table", "paths": ["夕暮れ の.csv"], "language_column": None}],
}


def test_the_command_for_failed_parts_sets_what_their_run_had_set(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"recipe": "my recipe.yaml", "overrides": OVERRIDES}
    monkeypatch.setattr(FlowRunContext, "get", lambda: SimpleNamespace(parameters=given))
    recipe = Recipe.model_validate({"name": "small", "corpus": "memory://c", "sources": OVERRIDES["sources"]})
    words = shlex.split(Report(recipe, Corpus("memory://c")).command("extract", ["a", "b"]))
    assert words[:3] == ["waon-build", "run", "my recipe.yaml"]
    assert "fetch.contact=me@example.org" in words
    assert words[-4:] == ["--part", "extract/a", "--part", "extract/b"]
    assert overrides_of(word for before, word in pairwise(words) if before == "--set") == OVERRIDES
