"""Shards: tars that are the same bytes on every machine."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from waon_build.corpus import Part
from waon_build.export.release import export
from waon_build.export.shards import READ_AHEAD, _batches, header
from waon_build.fetch.spool import ImageTar
from waon_build.records import IMAGE, InputError


@pytest.fixture
def folder(made: Any) -> Path:
    release = export(made.recipe, made.corpus, made.accepted)
    return Path(release.url)


def test_members_of_a_sample_are_side_by_side_and_in_one_order(folder: Path) -> None:
    names = []
    for path in sorted(folder.glob("*.tar")):
        with tarfile.open(path) as tar:
            names += tar.getnames()
    assert len(names) == 36
    for first in range(0, len(names), 3):
        key = names[first].partition(".")[0]
        assert names[first : first + 3] == [f"{key}.jpg", f"{key}.txt", f"{key}.json"]


def test_members_have_no_time_no_owner_and_no_pax_header(folder: Path) -> None:
    """A float time alone costs webdataset's own writer 3,072 bytes a sample."""
    for path in folder.glob("*.tar"):
        with tarfile.open(path) as tar:
            for member in tar:
                assert (member.mtime, member.uid, member.gid, member.uname, member.gname) == (0, 0, 0, "", "")
                assert (member.mode, member.type, member.pax_headers) == (0o644, tarfile.REGTYPE, {})
        data = path.read_bytes()
        assert data[257:263] == b"ustar\0"
        assert len(data) % tarfile.RECORDSIZE == 0


def test_a_tar_is_what_pythons_own_writer_makes_of_its_members(folder: Path) -> None:
    path = folder / "made-train-000000.tar"
    again = io.BytesIO()
    with tarfile.open(path) as tar, tarfile.open(fileobj=again, mode="w", format=tarfile.USTAR_FORMAT) as copy:
        for member in tar:
            info = tarfile.TarInfo(member.name)
            info.size = member.size
            copy.addfile(info, tar.extractfile(member))
    assert again.getvalue() == path.read_bytes()


def test_the_parquet_row_says_where_the_image_lies_in_the_tar(folder: Path, made: Any) -> None:
    seen = 0
    for path in sorted(folder.glob("*.parquet")):
        for row in pq.read_table(path).to_pylist():
            data = (folder / row["shard"]).read_bytes()[row["offset"] : row["offset"] + row["size"]]
            source = made.rows[row["pair_id"]]
            assert data == made.corpus.image_bytes(source["stored_in"], source["offset"], source["size"])
            assert row["rights"] == [evidence._asdict() for evidence in source["rights"]]
            seen += 1
    assert seen == 12


def test_no_caption_gets_the_picture_of_another_when_pictures_lie_elsewhere_by_now(made: Any) -> None:
    """As after a run that ended between the fetch and the pairs: the same pictures, and the first is gone."""
    name = "g0001-000000"
    stored = sorted((row for row in made.rows.values() if row["stored_in"] == name), key=lambda row: row["offset"])
    pictures = [made.corpus.image_bytes(name, row["offset"], row["size"]) for row in stored]
    with made.corpus.write("fetch", Part(name, "", "y"), IMAGE) as writer:
        with writer.open_file("images", "tar") as file, closing(ImageTar(file)) as images:
            for row, picture in zip(stored[1:], pictures[1:], strict=True):
                images.add(row["sha256"], row["format"], picture + bytes(4096))
        writer.commit()
    with pytest.raises(InputError, match=r"lies elsewhere by now: run the recipe to its end, and export again"):
        export(made.recipe, made.corpus, made.accepted)


def test_counts_have_img2datasets_keys_and_no_clock(folder: Path) -> None:
    stats = json.loads((folder / "made-train-000000_stats.json").read_bytes())
    assert stats == {
        "count": 5,
        "successes": 5,
        "failed_to_download": 0,
        "failed_to_resize": 0,
        "duration": 0.0,
        "start_time": 0.0,
        "end_time": 0.0,
        "status_dict": {"success": 5},
    }


@given(st.from_regex(r"[0-9a-f]{16}\.(jpg|webp|png|txt|json)", fullmatch=True), st.integers(0, (8 << 30) - 1))
def test_a_header_is_what_pythons_own_writer_makes(name: str, size: int) -> None:
    info = tarfile.TarInfo(name)
    info.size = size
    assert header(name, size) == info.tobuf(tarfile.USTAR_FORMAT)


@pytest.mark.parametrize(("name", "size"), [("k" * 101, 1), ("k.jpg", 8 << 30)])
def test_a_member_that_needs_more_than_a_plain_header_is_refused(name: str, size: int) -> None:
    with pytest.raises(ValueError, match="plain tar header"):
        header(name, size)


def test_images_are_read_ahead_only_as_far_as_memory_allows() -> None:
    half = READ_AHEAD // 2
    sizes = [half, half, 1, 3 * READ_AHEAD, half, half]
    batches = [batch["size"].to_pylist() for batch in _batches(pa.table({"size": sizes}))]
    assert batches == [[half, half], [1], [3 * READ_AHEAD], [half, half]]


def test_images_that_were_cut_off_since_end_the_export_in_one_line(made: Any) -> None:
    path = made.corpus.file("fetch", "g0001-000001", "images")
    Path(path).write_bytes(Path(path).read_bytes()[:-1600])  # more than a tar ends in
    with pytest.raises(InputError, match=r"ends before the image of [0-9a-f]{16}: delete it and run the recipe again"):
        export(made.recipe, made.corpus, made.accepted)


def test_images_that_are_gone_end_the_export_in_one_line(made: Any, digests: Callable[[str], dict[str, str]]) -> None:
    Path(made.corpus.file("fetch", "g0001-000001", "images")).unlink()
    with pytest.raises(InputError, match="is gone: run the recipe again"):
        export(made.recipe, made.corpus, made.accepted)
    assert list(Path(made.corpus.path("releases")).iterdir()) == []
