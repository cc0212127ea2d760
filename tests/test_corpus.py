"""The stage contract: a part is there whole or not at all, and its tally accounts for every row."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import fsspec
import pyarrow.parquet as pq
import pytest

from waon_build.corpus import Corpus, Part, part_name
from waon_build.records import CANDIDATE, Candidate, InputError

PART = Part("one", "somewhere", "f1")


@pytest.fixture(params=["folder", "memory"])
def corpus(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Corpus]:
    if request.param == "folder":
        yield Corpus(str(tmp_path / "corpus"))
        return
    yield Corpus("memory://corpus")
    fsspec.filesystem("memory").store.clear()


def candidate(number: int) -> Candidate:
    return Candidate(url=f"http://a.example/{number}.jpg", caption=f"写真 {number}", caption_source="alt")


def commit(corpus: Corpus, rows: int, part: Part = PART) -> None:
    with corpus.write("extract", part, CANDIDATE) as writer:
        for number in range(rows):
            writer.keep(candidate(number))
        writer.commit()


def test_a_committed_part_reads_back_as_it_was_written(corpus: Corpus) -> None:
    with corpus.write("extract", PART, CANDIDATE) as writer:
        writer.keep(candidate(1))
        writer.drop(candidate(2), "caption_too_short")
        with writer.open_file("images", "tar") as images:
            images.write(b"0123456789")
        tally = writer.commit()
    assert corpus.parts("extract") == ["one"]
    assert corpus.tally("extract", "one") == tally
    assert corpus.read("extract", "one").to_pylist()[0]["caption"] == "写真 1"
    assert corpus.read("extract", "one", role="dropped").to_pylist()[0]["reason"] == "caption_too_short"
    assert (tally.rows.read, tally.rows.kept) == (2, 1)


def test_stored_bytes_are_found_by_offset(corpus: Corpus) -> None:
    with corpus.write("fetch", PART, CANDIDATE) as writer:
        with writer.open_file("images", "tar") as images:
            images.write(b"0123456789")
        writer.commit()
    assert corpus.image_bytes("one", 3, 4) == b"3456"


def test_a_part_that_was_not_committed_is_not_there(corpus: Corpus) -> None:
    with corpus.write("extract", PART, CANDIDATE) as writer:
        writer.keep(candidate(1))
    assert corpus.parts("extract") == []
    assert not corpus.is_current("extract", PART)


def test_a_part_is_current_until_what_it_was_made_from_changes(corpus: Corpus) -> None:
    commit(corpus, 1)
    assert corpus.is_current("extract", PART)
    assert not corpus.is_current("extract", PART._replace(fingerprint="f2"))


def test_the_same_rows_make_the_same_bytes(tmp_path: Path) -> None:
    first, second = Corpus(str(tmp_path / "a")), Corpus(str(tmp_path / "b"))
    commit(first, 50)
    commit(second, 50)
    digests = [corpus.tally("extract", "one").digest for corpus in (first, second)]  # type: ignore[union-attr]
    assert digests[0] == digests[1]


def test_a_part_made_again_leaves_nothing_of_the_one_before(corpus: Corpus) -> None:
    commit(corpus, 1)
    commit(corpus, 2)
    tally = corpus.tally("extract", "one")
    assert tally is not None
    names = {path.rsplit("/", 1)[-1] for path in corpus.fs.ls(corpus.path("extract"), detail=False)}
    assert names == {"one.tally.json", *tally.files.values()}
    assert corpus.read("extract", "one").num_rows == 2


def test_dropped_rows_are_counted_exactly_and_sampled_without_chance(corpus: Corpus) -> None:
    """Which rows are sampled does not depend on the order they came in."""
    samples = []
    for order in (range(1000), reversed(range(1000))):
        with corpus.write("extract", PART, CANDIDATE) as writer:
            for number in order:
                writer.drop(candidate(number), "boilerplate")
            tally = writer.commit()
        assert tally.rows.dropped == {"boilerplate": 1000}
        samples.append(corpus.read("extract", "one", role="dropped")["url"].to_pylist())
    assert samples[0] == samples[1]
    assert 0 < len(samples[0]) <= 10


def test_a_damaged_tally_is_one_clear_line(corpus: Corpus) -> None:
    commit(corpus, 1)
    corpus.fs.pipe_file(corpus.path("extract", "one.tally.json"), b'{"stage": ')
    with pytest.raises(InputError, match="is damaged: delete it and run again"):
        corpus.tally("extract", "one")


def test_a_damaged_part_is_one_clear_line(corpus: Corpus) -> None:
    commit(corpus, 1)
    path = corpus.file("extract", "one")
    assert path is not None
    corpus.fs.pipe_file(path, b"rubbish")
    with pytest.raises(InputError, match=r"cannot be read .* run again"):
        corpus.read("extract", "one")


def test_a_corpus_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="the corpus cannot be written"):
        Corpus(str(tmp_path / "file" / "corpus")).create()


def test_two_runs_at_once_are_refused_and_what_a_killed_run_left_is_cleared(tmp_path: Path) -> None:
    corpus = Corpus(str(tmp_path / "corpus"))
    corpus.create()
    left = tmp_path / "corpus" / ".scratch" / "4194305-x"  # no process has this number
    left.mkdir(parents=True)
    half, under_way = (tmp_path / "corpus" / "reports" / f".a.json.{pid}-1.tmp" for pid in (4194305, os.getpid()))
    half.parent.mkdir()
    for file in (half, under_way):
        file.touch()
    with corpus.alone():
        assert not left.exists()
        assert not half.exists()
        assert under_way.exists(), "whoever keeps a report is about to rename it"
        with pytest.raises(InputError, match="another run is under way"), corpus.alone():
            pass
    with corpus.alone():
        pass


def test_a_part_whose_file_was_lost_is_made_again(corpus: Corpus) -> None:
    commit(corpus, 1)
    path = corpus.file("extract", "one")
    assert path is not None
    corpus.fs.rm_file(path)
    assert not corpus.is_current("extract", PART)


def test_of_many_parts_those_are_pending_that_are_missing_or_made_from_something_else(corpus: Corpus) -> None:
    current, stale, lost, new = (Part(name, "somewhere", "f1") for name in ("current", "stale", "lost", "new"))
    for part in (current, stale._replace(fingerprint="f0"), lost):
        commit(corpus, 1, part)
    path = corpus.file("extract", "lost")
    assert path is not None
    corpus.fs.rm_file(path)
    assert corpus.pending("extract", [stale, current, new, lost]) == [stale, new, lost]


def test_a_store_that_answers_slowly_is_asked_for_many_tallies_at_once(tmp_path: Path) -> None:
    """The server answers none of the first four tallies before all four are asked for."""
    local = Corpus(str(tmp_path / "corpus"))
    for number in range(6):
        commit(local, 1, Part(f"part{number}", "somewhere", "f1"))
    together = threading.Barrier(4)

    class Slow(SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path.endswith(".tally.json") and self.path < "/corpus/extract/part4":
                with suppress(threading.BrokenBarrierError):
                    together.wait(30)
            super().do_GET()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Slow, directory=str(tmp_path))) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        remote = Corpus(f"http://127.0.0.1:{server.server_port}/corpus")
        assert [tally.part for tally in remote.tallies("extract")] == [f"part{number}" for number in range(6)]
        server.shutdown()
    assert not together.broken


def test_a_corpus_of_an_unknown_kind_is_one_line() -> None:
    with pytest.raises(InputError, match="cannot be opened"):
        Corpus("nonsense://corpus")


def test_two_files_of_one_name_in_two_folders_are_two_parts() -> None:
    names = {part_name("a/x.warc.gz"), part_name("b/x.warc.gz")}
    assert len(names) == 2
    assert all(name.startswith("x-") for name in names)
    assert part_name("http://例え.jp/?q=1&r").isascii()


def test_a_part_name_with_a_dot_is_refused(corpus: Corpus) -> None:
    """A dot would let one part's sweep touch another's files."""
    with pytest.raises(ValueError, match="not a part name"):
        corpus.write("extract", Part("a.b", "", ""), CANDIDATE)


def test_a_writer_killed_in_the_middle_leaves_no_part_and_the_next_one_sweeps_up(tmp_path: Path) -> None:
    """`kill -9` between the data files and the tally: the part is not there, and then it is, once."""
    script = textwrap.dedent("""
        import sys, time
        from waon_build.corpus import Corpus, Part
        from waon_build.records import CANDIDATE, Candidate
        corpus = Corpus(sys.argv[1])
        corpus.put = lambda path, data: (print("now", flush=True), time.sleep(60))
        with corpus.write("extract", Part("one", "", "f1"), CANDIDATE) as writer:
            writer.keep(Candidate(url="http://a.example/killed.jpg", caption="x", caption_source="alt"))
            writer.commit()
    """)
    root = tmp_path / "corpus"
    with subprocess.Popen([sys.executable, "-c", script, str(root)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"now\n"
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    corpus = Corpus(str(root))
    assert corpus.parts("extract") == []
    assert len(list((root / "extract").iterdir())) == 1, "the orphan lies there"
    commit(corpus, 1)
    files = {path.name for path in (root / "extract").iterdir()}
    assert len(files) == 2
    assert pq.read_table(corpus.file("extract", "one"))["caption"].to_pylist() == ["写真 0"]


def test_a_part_that_is_made_anew_between_its_tally_and_its_rows_is_looked_up_again(
    corpus: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit(corpus, 1)
    look, rows = corpus.file, iter((2, 3))

    def file(*names: str) -> str | None:
        found = look(*names)
        if (more := next(rows, None)) is not None:
            commit(corpus, more)
        return found

    monkeypatch.setattr(corpus, "file", file)
    assert corpus.read("extract", "one").num_rows == 3
    path = look("extract", "one")
    corpus.fs.rm_file(path)
    with pytest.raises(InputError, match=r"cannot be read .*: delete one.tally.json beside it and run again"):
        corpus.read("extract", "one")


def test_a_reader_never_sees_half_a_part_while_it_is_made_again(tmp_path: Path) -> None:
    """Old rows or new rows, at any moment: never a mixture, never nothing."""
    corpus = Corpus(str(tmp_path / "corpus"))
    commit(corpus, 10)
    script = textwrap.dedent("""
        import sys
        from waon_build.corpus import Corpus, Part
        from waon_build.records import CANDIDATE, Candidate
        corpus = Corpus(sys.argv[1])
        for turn in range(60):
            with corpus.write("extract", Part("one", "", f"f{turn}"), CANDIDATE) as writer:
                for number in range(10 + turn % 2):
                    writer.keep(Candidate(url=f"http://a.example/{number}", caption="x", caption_source="alt"))
                writer.commit()
    """)
    seen = set()
    with subprocess.Popen([sys.executable, "-c", script, corpus.url]) as process:
        while process.poll() is None:
            tally = corpus.tally("extract", "one")
            assert tally is not None
            rows = corpus.read("extract", "one").num_rows
            seen.add(rows)
            assert rows in (10, 11)
    assert process.returncode == 0
    assert seen
