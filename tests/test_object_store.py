"""A corpus on an object store: S3 as moto has it, on loopback, also when it fails."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

from waon_build import lock, orphans
from waon_build.corpus import Corpus, Part
from waon_build.records import CANDIDATE, Candidate, InputError

PART = Part("one", "somewhere", "f1")
SLOW_DOWN = b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
DENIED = b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"


class Store:
    """S3 on loopback. `fails` is asked before each request: what it returns (status, body) is the answer."""

    def __init__(self) -> None:
        self.requests: list[str] = []
        self.fails: Callable[[int, str, str], tuple[str, bytes] | None] = lambda number, method, path: None
        self._app = DomainDispatcherApplication(create_backend_app)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        self.requests.append(f"{method} {path}")
        failure = self.fails(len(self.requests), method, path)
        if failure is None:
            return self._app(environ, start_response)
        environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        start_response(failure[0], [("Content-Type", "application/xml")])
        return [failure[1]]


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[Store, str]]:
    store = Store()
    http = make_server("127.0.0.1", 0, store, threaded=True)
    threading.Thread(target=http.serve_forever, daemon=True).start()
    yield store, f"http://127.0.0.1:{http.server_port}"
    http.shutdown()


@pytest.fixture
def store(server: tuple[Store, str]) -> Iterator[Store]:
    store, _ = server
    yield store
    store.fails = lambda number, method, path: None


@pytest.fixture
def options(server: tuple[Store, str]) -> dict[str, Any]:
    return {"key": "k", "secret": "s", "client_kwargs": {"endpoint_url": server[1], "region_name": "ap-northeast-1"}}


@pytest.fixture
def corpus(store: Store, options: dict[str, Any], request: pytest.FixtureRequest) -> Corpus:
    bucket = request.node.name.replace("_", "-")[:60].strip("-")
    found = Corpus(f"s3://{bucket}/corpus", **options)
    found.fs.mkdir(bucket)
    return found


def commit(corpus: Corpus, rows: int, part: Part = PART) -> None:
    with corpus.write("extract", part, CANDIDATE) as writer:
        for number in range(rows):
            writer.keep(Candidate(url=f"http://a.example/{number}.jpg", caption=f"写真 {number}", caption_source="alt"))
        writer.commit()


def write_lock(corpus: Corpus, until: float, machine: str = "elsewhere", pid: int = 1) -> None:
    note = {"owner": "somebody", "machine": machine, "pid": pid, "until": until}
    corpus.fs.pipe_file(corpus.path(".lock"), json.dumps(note).encode())


def test_two_runs_at_once_are_refused_and_the_lock_is_given_back(corpus: Corpus, options: dict[str, Any]) -> None:
    other = Corpus(corpus.url, **options)
    with corpus.alone(), pytest.raises(InputError, match=r"another run is under way \(process \d+ of"), other.alone():
        pass
    with other.alone():
        pass
    assert not corpus.fs.exists(corpus.path(".lock"))


def test_of_many_that_want_a_free_corpus_one_has_it(corpus: Corpus) -> None:
    inside, refused, ready = [], [], threading.Barrier(8)

    def want() -> None:
        ready.wait()
        try:
            with lock.held(corpus.fs, corpus.path(".lock")):
                inside.append(1)
                time.sleep(2)
        except lock.Held:
            refused.append(1)

    threads = [threading.Thread(target=want) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(inside), len(refused)) == (1, 7)


def test_a_lock_whose_owner_stopped_renewing_it_is_taken_over(corpus: Corpus) -> None:
    write_lock(corpus, until=time.time() + 60)
    with pytest.raises(InputError, match="process 1 of elsewhere"), corpus.alone():
        pass
    write_lock(corpus, until=time.time() - 1)
    with lock.held(corpus.fs, corpus.path(".lock")) as was_left:
        assert was_left


def test_a_lock_of_a_process_of_this_machine_that_ended_is_taken_over_at_once(corpus: Corpus) -> None:
    write_lock(corpus, until=time.time() + 100, machine=os.uname().nodename, pid=4194305)  # no process has this number
    with corpus.alone():
        pass


def test_a_lock_is_renewed_while_it_is_held(corpus: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "RENEWED_EVERY", 0.2)
    monkeypatch.setattr(lock, "HELD_FOR", 2.0)
    path = corpus.path(".lock")
    with corpus.alone():
        first = json.loads(corpus.fs.cat_file(path))["until"]
        wait_until(lambda: json.loads(corpus.fs.cat_file(path))["until"] > first + 1)


def test_who_lost_the_lock_while_standing_still_is_told(corpus: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "RENEWED_EVERY", 0.1)
    path = corpus.path(".lock")
    with pytest.raises(InputError, match="another run took the corpus"), corpus.alone():
        write_lock(corpus, until=time.time() + 60)
        wait_until(lambda: f"renews {path}" not in [thread.name for thread in threading.enumerate()])
    assert corpus.fs.exists(path), "it is the other's"


def test_changes_of_a_small_file_wait_for_their_turn(corpus: Corpus) -> None:
    path = corpus.path("numbers.json")
    corpus.put(path, b"[]")

    def add(number: int) -> None:
        with corpus.turn("numbers.json"):
            numbers = json.loads(corpus.fs.cat_file(path))
            corpus.put(path, json.dumps([*numbers, number]).encode())

    threads = [threading.Thread(target=add, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(json.loads(corpus.fs.cat_file(path))) == [0, 1, 2, 3]


def test_what_a_killed_run_left_half_written_is_swept_by_the_next_and_nothing_else(
    corpus: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit(corpus, 2)
    commit(corpus, 3, PART._replace(name="two"))
    committed = set(corpus.fs.ls(corpus.path("extract"), detail=False))
    for name in ("one.rows-0123456789ab.parquet", "three.rows-0123456789ab.parquet", "three.images-0123456789ab.tar"):
        corpus.fs.pipe_file(corpus.path("extract", name), b"half")
    assert orphans.sweep(corpus.fs, corpus.root, corpus._named, older_than=3600) == 0, "a worker may still be at them"
    monkeypatch.setattr(lock, "HELD_FOR", 0.0)
    write_lock(corpus, until=time.time() - 1)
    with corpus.alone():
        assert set(corpus.fs.ls(corpus.path("extract"), detail=False)) == committed


HOLD_WRITE_AND_WAIT = textwrap.dedent("""
    import json, sys, time
    from waon_build.corpus import Corpus, Part
    from waon_build.records import CANDIDATE, Candidate
    corpus = Corpus(sys.argv[1], **json.loads(sys.argv[2]))
    with corpus.alone(), corpus.write("extract", Part("one", "", "f1"), CANDIDATE) as writer:
        corpus.put = lambda path, data: (print("now", flush=True), time.sleep(60))
        writer.keep(Candidate(url="http://a.example/killed.jpg", caption="x", caption_source="alt"))
        writer.commit()
""")


@pytest.mark.slow
def test_a_run_killed_between_files_and_tally_is_followed_at_once_and_leaves_nothing(
    corpus: Corpus, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    command = [sys.executable, "-c", HOLD_WRITE_AND_WAIT, corpus.url, json.dumps(options)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"now\n"
        process.kill()
    assert corpus.parts("extract") == []
    assert len(corpus.fs.ls(corpus.path("extract"), detail=False)) == 1, "the orphan lies there"
    monkeypatch.setattr(lock, "HELD_FOR", 1.0)
    with corpus.alone():
        assert corpus.fs.ls(corpus.root, detail=False) == [corpus.path(".lock")], "swept"
        commit(corpus, 1)
    assert corpus.read("extract", "one")["caption"].to_pylist() == ["写真 0"]


@pytest.mark.slow
def test_a_store_that_asks_to_slow_down_is_asked_again(corpus: Corpus, store: Store) -> None:
    """Every fourth request is refused for now; parts are written and read all the same."""
    store.fails = lambda number, method, path: ("503 Slow Down", SLOW_DOWN) if number % 4 == 0 else None
    commit(corpus, 5)
    commit(corpus, 6, PART._replace(name="two"))
    assert [corpus.read("extract", part).num_rows for part in corpus.parts("extract")] == [5, 6]


def test_a_store_that_fails_in_the_middle_of_a_part_leaves_no_part_and_then_one(corpus: Corpus, store: Store) -> None:
    store.fails = lambda number, method, path: (
        ("400 Bad Request", b"<Error><Code>MalformedXML</Code></Error>")
        if method == "PUT" and path.endswith("tally.json")
        else None
    )
    with pytest.raises(OSError, match="Errno"):
        commit(corpus, 5)
    store.fails = lambda number, method, path: None
    assert corpus.parts("extract") == []
    commit(corpus, 5)
    assert corpus.read("extract", "one").num_rows == 5


def test_a_bucket_that_is_not_there_is_one_line(store: Store, options: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="the corpus cannot be written"):
        Corpus("s3://no-such-bucket/corpus", **options).create()


def test_a_store_that_denies_is_one_line_also_in_the_middle(corpus: Corpus, store: Store) -> None:
    corpus.create()
    store.fails = lambda number, method, path: ("403 Forbidden", DENIED) if method == "PUT" else None
    with pytest.raises(InputError, match="the corpus cannot be written"):
        corpus.create()
    with pytest.raises(InputError, match=r"cannot be written .*allow it"):
        commit(corpus, 1)


def test_what_another_process_commits_is_seen_at_once(corpus: Corpus, options: dict[str, Any]) -> None:
    """No listing is kept: workers write what the flow reads."""
    commit(corpus, 1)
    reader = Corpus(corpus.url, skip_instance_cache=True, **options)
    assert reader.parts("extract") == ["one"]
    commit(corpus, 2, PART._replace(name="two"))
    assert reader.parts("extract") == ["one", "two"]
    assert reader.read("extract", "two").num_rows == 2


def wait_until(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.05)
