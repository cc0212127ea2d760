"""The eight real sites, served on loopback and crawled: every Japanese pair is found, and accounted for."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from waon_build import pipeline
from waon_build.audit.funnel import faults, funnel
from waon_build.recipe import Recipe

pytestmark = pytest.mark.slow

SITES = [
    "haskell-jp-blog", "pyconjp-2018", "railsguides-jp", "rpi-boat-race", "rpi-cats", "rpi-chatbot",
    "rpi-getting-started-with-picamera", "text-baldanders-info",
]  # fmt: skip


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def served(folder: Path) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize("name", SITES)
def test_every_japanese_pair_of_a_real_site_is_a_candidate_and_its_fate_is_known(
    name: str, shared_data: Path, tmp_path: Path
) -> None:
    truth = json.loads((shared_data / "sites" / f"{name}.expected.json").read_text(encoding="utf-8"))
    with served(shared_data / "sites" / name) as origin:
        loaded = Recipe.model_validate(
            {
                "name": "site",
                "corpus": str(tmp_path / "corpus"),
                "sources": [{"kind": "site", "seeds": [f"{origin}/"], "max_depth": 20}],
                "fetch": {
                    "contact": "test@example.org",
                    "allow_hosts": ["127.0.0.1"],
                    "per_host_rate": 10_000,
                    "per_host_concurrency": 16,
                    "retries": 0,
                },
            }
        )
        corpus = pipeline.open_corpus(loaded)
        for stage in pipeline.stages(loaded):
            for part in pipeline.begin(stage, corpus)[0]:
                stage.run(corpus, part)
    found = [row for part in corpus.parts("extract") for row in corpus.read("extract", part).to_pylist()]
    addresses = {(path_of(row["page_url"]), path_of(row["url"])) for row in found}
    languages = {pair["page"]: pair["page_lang"] for pair in truth["pairs"]}
    wanted = {
        (pair["page"], pair["file"])
        for pair in truth["pairs"]
        if pair["page_lang"] == "ja"
        and pair["where"] == "local"
        and set(pair["alt_script"] + pair["cap_script"]) & set("kh")
    }
    assert wanted
    assert wanted - addresses == set()
    assert {page for page, _ in addresses if languages.get(page, "ja") != "ja"} == set()
    steps = funnel(corpus)
    assert faults(steps) == []
    assert {step.stage for step in steps} >= {"crawl", "extract", "text", "plan", "fetch", "image", "dedup", "route"}


def path_of(url: str) -> str:
    """The file that a URL names on a served folder."""
    path = unquote(urlsplit(url).path).lstrip("/")
    return f"{path}index.html" if not path or path.endswith("/") else path
