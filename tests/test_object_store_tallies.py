"""Tallies on an object store (S3 as moto has it, on loopback): each is read once, however often a run asks."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

from waon_build.corpus import Corpus, Part
from waon_build.records import CANDIDATE, Candidate

PARTS = [Part(f"part{number}", "somewhere", "f1") for number in range(3)]


class Store:
    """S3 on loopback. reads: GET requests, by the name of what is read."""

    def __init__(self) -> None:
        self.reads: Counter[str] = Counter()
        self._app = DomainDispatcherApplication(create_backend_app)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        if environ["REQUEST_METHOD"] == "GET":
            self.reads[environ["PATH_INFO"].rsplit("/", 1)[-1]] += 1
        return self._app(environ, start_response)


@pytest.fixture
def store() -> Iterator[tuple[Store, Corpus]]:
    store = Store()
    http = make_server("127.0.0.1", 0, store, threaded=True)
    threading.Thread(target=http.serve_forever, daemon=True).start()
    client = {"endpoint_url": f"http://127.0.0.1:{http.server_port}", "region_name": "ap-northeast-1"}
    bucket = f"tallies-{http.server_port}"  # moto keeps what it was given, until the process ends
    corpus = Corpus(f"s3://{bucket}/corpus", key="k", secret="s", client_kwargs=client)
    corpus.fs.mkdir(bucket)
    yield store, corpus
    http.shutdown()


def commit(corpus: Corpus, part: Part, rows: int = 1) -> None:
    with corpus.write("extract", part, CANDIDATE) as writer:
        for number in range(rows):
            writer.keep(Candidate(f"http://a.example/{number}.jpg", "写真", "alt"))
        writer.commit()


def test_a_tally_is_read_once_until_its_part_is_made_again(store: tuple[Store, Corpus]) -> None:
    served, corpus = store
    for part in PARTS:
        commit(corpus, part)
    served.reads.clear()
    for _ in range(3):
        assert [tally.rows.kept for tally in corpus.tallies("extract")] == [1, 1, 1]
        assert corpus.pending("extract", PARTS) == []
    assert {name: served.reads[name] for name in served.reads if name.endswith(".json")} == {
        f"{part.name}.tally.json": 1 for part in PARTS
    }
    commit(corpus, PARTS[1]._replace(fingerprint="f2"), rows=2)
    assert [tally.rows.kept for tally in corpus.tallies("extract")] == [1, 2, 1]
    assert corpus.pending("extract", PARTS) == [PARTS[1]]


def test_a_part_that_lost_a_file_is_pending_there_too(store: tuple[Store, Corpus]) -> None:
    _, corpus = store
    commit(corpus, PARTS[0])
    path = corpus.file("extract", PARTS[0].name)
    assert path is not None
    corpus.fs.rm_file(path)
    assert corpus.pending("extract", PARTS[:1]) == PARTS[:1]
    assert not corpus.is_current("extract", PARTS[0])
