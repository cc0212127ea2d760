"""Verify: any byte that changed is found, and so is a lie that was sealed again."""

from __future__ import annotations

import io
import json
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from waon_build.export.index import sums_text
from waon_build.export.release import export
from waon_build.export.shards import written_file
from waon_build.export.verify import verify
from waon_build.records import InputError, pair_id
from waon_build.rights.tombstones import Tombstones

SHARD = "made-train-000000"


@pytest.fixture
def release(made: Any) -> Path:
    return Path(export(made.recipe, made.corpus, made.accepted).url)


def said(folder: Path) -> list[str]:
    return [str(failure) for failure in verify(str(folder)).failures]


def seal(folder: Path) -> None:
    """Write SHA256SUMS anew, as someone would who means to deceive."""
    names = [str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()]
    names.remove("SHA256SUMS")
    (folder / "SHA256SUMS").write_bytes(sums_text(written_file(str(folder), name) for name in names))


def rewrite(folder: Path, change: Callable[[dict[str, bytes]], dict[str, bytes] | None]) -> None:
    """Change the members of the first shard, and seal it again."""
    path = folder / f"{SHARD}.tar"
    with tarfile.open(path) as tar:
        members = {member.name: tar.extractfile(member).read() for member in tar}  # type: ignore[union-attr]
    members = change(members) or members
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    seal(folder)


def describe(folder: Path) -> None:
    """Let the Croissant description speak of the files as they are, and seal it again."""
    path = folder / "croissant.json"
    described = json.loads(path.read_text())
    for entry in described["distribution"]:
        if entry["@type"] == "cr:FileObject":
            file = written_file(str(folder), entry["name"])
            entry |= {"sha256": file.sha256, "contentSize": f"{file.size} B"}
    path.write_text(json.dumps(described, ensure_ascii=False))
    seal(folder)


def edit_json(folder: Path, **values: Any) -> str:
    """Change fields of the first sample's JSON, and seal it again. Returns its key."""
    keys = []

    def change(members: dict[str, bytes]) -> None:
        name = next(name for name in members if name.endswith(".json"))
        members[name] = json.dumps(json.loads(members[name]) | values, ensure_ascii=False).encode()
        keys.append(name.partition(".")[0])

    rewrite(folder, change)
    return keys[0]


def test_a_release_as_it_was_written_is_in_order(release: Path) -> None:
    report = verify(str(release))
    assert report.ok
    assert (report.samples, report.shards) == (12, 3)
    assert report.to_json() == {"url": str(release), "ok": True, "samples": 12, "shards": 3, "failures": []}


@pytest.mark.slow
@pytest.mark.parametrize("form", ["jpg", "webp", "png"])
def test_real_photographs_keep_their_hash_bit_for_bit(
    tmp_path: Path, shared_data: Path, make_corpus: Callable[..., Any], form: str
) -> None:
    """As the fetch stage decoded and hashed them, and as anyone can hash the stored image with imagehash."""
    files = sorted((shared_data / "sites" / "text-baldanders-info").rglob("*.jpg"))[:24]
    photographs = [path.read_bytes() for path in files]
    made = make_corpus(str(tmp_path / "corpus"), len(files), form=form, photographs=photographs)
    report = verify(export(made.recipe, made.corpus, made.accepted).url)
    assert report.failures == []
    assert report.samples == len(files) > 10


@pytest.mark.slow
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_single_byte_that_changed_is_found(release: Path, data: st.DataObject) -> None:
    """In any file, at any place, to any other value: and the file is named."""
    path = data.draw(st.sampled_from(sorted(file for file in release.iterdir() if file.stat().st_size)))
    whole = path.read_bytes()
    place = data.draw(st.integers(0, len(whole) - 1))
    other = data.draw(st.integers(1, 255))
    path.write_bytes(whole[:place] + bytes([whole[place] ^ other]) + whole[place + 1 :])
    try:
        failures = said(release)
    finally:
        path.write_bytes(whole)
    assert any(failure.startswith(f"{path.name}: ") or "SHA256SUMS" in failure for failure in failures)


@pytest.mark.parametrize("name", ["README.md", f"{SHARD}.tar", f"{SHARD}.parquet", "SHA256SUMS", "tombstones.jsonl"])
@pytest.mark.parametrize("change", ["cut", "longer", "gone", "empty"])
def test_a_file_that_was_cut_lengthened_emptied_or_lost_is_found(release: Path, name: str, change: str) -> None:
    path = release / name
    whole = path.read_bytes()
    if not whole and change in ("cut", "empty"):
        whole = b"x"
    match change:
        case "cut":
            path.write_bytes(whole[:-1] if path.read_bytes() else whole)
        case "longer":
            path.write_bytes(whole + b"\n")
        case "empty":
            path.write_bytes(b"" if path.read_bytes() else whole)
        case "gone":
            path.unlink()
    assert any(name in failure for failure in said(release))


def test_a_file_too_many_is_found(release: Path) -> None:
    (release / "notes").mkdir()
    (release / "notes" / "x.txt").write_text("x")
    assert said(release) == ["notes/x.txt: is no file of a release", "notes/x.txt: is not in SHA256SUMS"]


@pytest.mark.parametrize(
    "name", ["demo-test.wids.json", "made-test.wids.json", "made-train-000007.parquet", "made-train_stats.json", "x/y"]
)
def test_a_file_that_no_release_has_is_found_though_sealed_again(release: Path, name: str) -> None:
    (release / name).parent.mkdir(exist_ok=True)
    (release / name).write_text("{}")
    seal(release)
    assert f"{name}: is no file of a release" in said(release)


def test_a_shard_that_is_gone_from_files_and_sums_is_found(release: Path) -> None:
    for suffix in (".tar", ".parquet", "_stats.json"):
        (release / f"{SHARD}{suffix}").unlink()
    seal(release)
    failures = said(release)
    assert "made-train-*.tar: a shard is missing" in failures
    assert "release.json: counts 3 shards, and 2 are here" in failures


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"caption": "他の言葉"}, "its caption in the text file is not that in the JSON"),
        ({"sha256": "0" * 64}, "its key does not follow from sha256 and caption"),
        ({"pair_id": "0" * 16}, "is called 0000000000000000 in its JSON"),
        ({"phash": "0" * 16}, "not 0000000000000000"),
        ({"phash256": "0" * 64}, "the phash256 of its image is another"),
        ({"width": 640}, "not 640 x 48"),
        ({"match": 2}, "match is int, not float"),
        ({"context": None}, "context is NoneType, not str"),
        ({"mood": "x"}, "has other fields than its siblings: mood"),
        ({"culture": "elsewhere"}, "its row does not say what its JSON says"),
    ],
)
def test_a_sample_that_says_something_untrue_is_found_though_sealed_again(
    release: Path, values: dict[str, Any], problem: str
) -> None:
    key = edit_json(release, **values)
    assert any(f"{key}: " in failure and problem in failure for failure in said(release))


def swap_images(members: dict[str, bytes]) -> None:
    one, two = [name for name in members if name.endswith(".jpg")][:2]
    members[one], members[two] = members[two], members[one]


def spoil_image(members: dict[str, bytes]) -> None:
    name = next(name for name in members if name.endswith(".jpg"))
    members[name] = b"<html>not found</html>"


def other_format(members: dict[str, bytes]) -> None:
    name = next(name for name in members if name.endswith(".jpg"))
    data = io.BytesIO()
    Image.open(io.BytesIO(members[name])).save(data, "PNG")
    members[name] = data.getvalue()


def drop_sample(members: dict[str, bytes]) -> None:
    for name in list(members)[:3]:
        del members[name]


def turn_members(members: dict[str, bytes]) -> dict[str, bytes]:
    return dict(sorted(members.items(), key=lambda item: item[0].partition(".")[2]))


def break_json(members: dict[str, bytes]) -> None:
    name = next(name for name in members if name.endswith(".json"))
    members[name] = members[name][:-1]


def exif(description: str) -> bytes:
    found = Image.Exif()
    found[0x010E] = description
    found.get_ifd(0x8825)[1] = "N"  # GPSLatitudeRef
    return found.tobytes()


def png_text(chunk: PngImagePlugin.PngInfo) -> PngImagePlugin.PngInfo:
    chunk.add_text("Author", "Yamada", zip=True)
    return chunk


@pytest.mark.parametrize(
    ("form", "name", "written"),
    [
        ("jpg", "exif", {"exif": exif("taken here")}),
        ("jpg", "xmp", {"xmp": b"<x:xmpmeta/>"}),
        ("jpg", "comment", {"comment": b"by Yamada"}),
        ("jpg", "APP1", {"extra": b"\xff\xe1\x00\x0cNikon\0here"}),
        ("webp", "exif", {"exif": exif("taken here")}),
        ("webp", "xmp", {"xmp": b"<x:xmpmeta/>"}),
        ("png", "exif", {"exif": exif("taken here")}),
        ("png", "text", {"pnginfo": png_text(PngImagePlugin.PngInfo())}),
    ],
)
def test_a_picture_that_says_where_or_by_whom_it_was_taken_is_found(
    tmp_path: Path, make_corpus: Callable[..., Any], form: str, name: str, written: dict[str, Any]
) -> None:
    """The card promises pictures without any metadata; the pixels, and so all hashes, are the same with it."""
    made = make_corpus(str(tmp_path / "corpus"), 3, form=form, metadata=written)
    failures = verify(export(made.recipe, made.corpus, made.accepted).url).failures
    assert [failure.problem for failure in failures] == [f"its image carries metadata ({name})"] * 3


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (swap_images, "the phash of its image is"),
        (spoil_image, "its image cannot be decoded (UnidentifiedImageError)"),
        (other_format, "its image cannot be decoded"),
        (drop_sample, "does not count the 4 samples"),
        (drop_sample, "is a row without a sample"),
        (drop_sample, "sizes.json: does not count the samples"),
        (drop_sample, "made-train.wids.json: does not count the samples"),
        (drop_sample, "release.json: counts"),
        (drop_sample, "holds 4 samples and is not the last of its split"),
        (turn_members, "members are not side by side"),
        (break_json, "its JSON cannot be read"),
    ],
)
def test_a_shard_that_was_rewritten_is_found_though_sealed_again(
    release: Path, change: Callable[[dict[str, bytes]], dict[str, bytes] | None], problem: str
) -> None:
    rewrite(release, change)
    assert any(problem in failure for failure in said(release))


def test_a_pax_header_is_found_though_sealed_again(release: Path) -> None:
    path = release / f"{SHARD}.tar"
    whole = io.BytesIO()
    with tarfile.open(path) as tar, tarfile.open(fileobj=whole, mode="w", format=tarfile.PAX_FORMAT) as other:
        for member in tar:
            member.mtime = 1700000000.5  # type: ignore[assignment]
            other.addfile(member, tar.extractfile(member))
    path.write_bytes(whole.getvalue())
    seal(release)
    assert any(failure.startswith(f"{SHARD}.tar: ") and "PAX" in failure for failure in said(release))


def change_rows(folder: Path, name: str, change: Callable[[list[dict[str, Any]]], None]) -> None:
    path = folder / name
    table = pq.read_table(path)
    rows = table.to_pylist()
    change(rows)
    pq.write_table(pa.Table.from_pylist(rows, table.schema), path)
    seal(folder)


def test_a_row_that_differs_from_its_sample_is_found_though_sealed_again(release: Path) -> None:
    def lie(rows: list[dict[str, Any]]) -> None:
        rows[0]["offset"] += 1
        rows[1]["licence_url"] = "https://creativecommons.org/publicdomain/zero/1.0/"
        rows[2]["rights"][0]["refuses"] = True
        rows[3]["split"] = "validation"

    change_rows(release, f"{SHARD}.parquet", lie)
    failures = "\n".join(said(release))
    for problem in (
        "in the row, and 512 in truth",
        "its row does not say what its JSON says",
        "its rights evidence forbids what we do",
        "its split is validation in the row, and train in truth",
    ):
        assert problem in failures


def test_samples_in_another_order_are_found_though_all_is_described_again(release: Path) -> None:
    def turn(members: dict[str, bytes]) -> dict[str, bytes]:
        keys = list(dict.fromkeys(name.partition(".")[0] for name in members))
        return {f"{key}.{form}": members[f"{key}.{form}"] for key in keys[::-1] for form in ("jpg", "txt", "json")}

    def follow(rows: list[dict[str, Any]]) -> None:
        rows.reverse()
        with tarfile.open(release / f"{SHARD}.tar") as tar:
            for row in rows:
                row["offset"] = tar.getmember(f"{row['pair_id']}.jpg").offset_data

    rewrite(release, turn)
    change_rows(release, f"{SHARD}.parquet", follow)
    describe(release)
    (failure,) = said(release)
    assert failure.startswith(f"{SHARD}.tar: ")
    assert failure.endswith("does not stand where the order of seed 0 has it")


def test_a_picture_in_two_splits_is_found_though_sealed_again(release: Path) -> None:
    """The same cluster, and the same picture, on both sides."""
    seen = pq.read_table(release / f"{SHARD}.parquet").to_pylist()[0]

    def leak(rows: list[dict[str, Any]]) -> None:
        rows[0] |= {"cluster_id": seen["cluster_id"], "sha256": seen["sha256"]}

    change_rows(release, "made-validation-000000.parquet", leak)
    failures = "\n".join(said(release))
    assert "its cluster is in train and validation" in failures
    assert "its picture is in train and validation" in failures


def test_a_pair_that_is_here_twice_is_found_though_sealed_again(release: Path) -> None:
    change_rows(release, f"{SHARD}.parquet", lambda rows: rows.append(rows[0]))
    key = pq.read_table(release / f"{SHARD}.parquet").to_pylist()[0]["pair_id"]
    assert f"{SHARD}.tar: {key}: is here more than once" in said(release)


def test_other_columns_are_found_though_sealed_again(release: Path) -> None:
    path = release / f"{SHARD}.parquet"
    pq.write_table(pq.read_table(path).drop_columns(["licence_url"]), path)
    seal(release)
    assert f"{SHARD}.parquet: has other columns than a release has" in said(release)


def test_a_sample_that_the_tombstones_cover_is_found(release: Path) -> None:
    row = pq.read_table(release / f"{SHARD}.parquet").to_pylist()[0]
    stone = {"kind": "sha256", "value": row["sha256"], "at": "2025-01-01T00:00:00+00:00"}
    (release / "tombstones.jsonl").write_text(json.dumps(stone) + "\n")
    seal(release)
    assert f"{SHARD}.tar: {row['pair_id']}: was withdrawn (tombstones.jsonl)" in said(release)


@pytest.mark.parametrize("text", ["{", '{"kind": "sha256"}\n', '{"kind": "mood", "value": "x", "at": ""}\n', "3\n"])
def test_a_tombstone_list_that_cannot_be_read_is_found(release: Path, text: str) -> None:
    (release / "tombstones.jsonl").write_text(text)
    seal(release)
    assert "tombstones.jsonl: is damaged" in said(release)


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"tombstones": 99}, "counts 99 tombstones, and 0 are here"),
        ({"seed": 5}, "does not stand where the order of seed 5 has it"),
        ({"splits": {"train": 1}}, "its splits do not name validation"),
        ({"splits": {"train": 0.7, "validation": 0.2}}, "its splits are not shares that add up to 1"),
        ({"splits": {"train": 1.3, "validation": -0.3}}, "its splits are not shares that add up to 1"),
        ({"splits": {"train": float("nan"), "validation": 1}}, "its splits are not shares that add up to 1"),
        ({"name": "another"}, "describes a release of another name than release.json"),
        ({"name": None}, "its name is missing or damaged"),
        ({"content": ""}, "its content is no digest"),
        ({"accepted": {"read": 13, "kept": 12, "dropped": {}}}, "its accepted pairs do not add up"),
        ({"accepted": {"read": 13, "kept": 13, "dropped": {}}}, "its accepted pairs do not add up"),
        ({"accepted": {"read": 11, "kept": 12, "dropped": {"taken_down": -1}}}, "its accepted pairs do not add up"),
        ({"accepted": {"read": 12, "kept": 12, "dropped": [[]]}}, "its accepted pairs do not add up"),
        ({"samples_per_shard": 4}, "holds 5 samples, and 4 are the most"),
        ({"samples_per_shard": 6}, "holds 5 samples and is not the last of its split"),
        ({"samples": {"train": 7, "validation": 5, "test": 0}}, "its samples are missing or damaged"),
        ({"corpus": "\ud800"}, "its corpus is missing or damaged"),
    ],
)
def test_a_figure_that_is_wrong_is_found_though_sealed_again(
    release: Path, values: dict[str, Any], problem: str
) -> None:
    path = release / "release.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))
    seal(release)
    assert any(problem in failure for failure in said(release))


@pytest.mark.parametrize("name", [f"{SHARD}.tar", f"{SHARD}.parquet", f"{SHARD}_stats.json"])
@pytest.mark.parametrize("target", ["nothing", "itself", "a folder"])
def test_a_file_of_a_shard_that_is_a_link_to_nothing_is_reported(release: Path, name: str, target: str) -> None:
    path = release / name
    path.unlink()
    path.symlink_to({"nothing": "gone", "itself": name, "a folder": release}[target])
    assert any(failure.startswith(f"{name}: ") for failure in said(release))


@pytest.mark.parametrize(
    "name", ["README.md", "SHA256SUMS", "croissant.json", "release.json", "sizes.json", "tombstones.jsonl"]
)
def test_a_file_beside_the_shards_that_is_a_link_to_nothing_is_reported(release: Path, name: str) -> None:
    (release / name).unlink()
    (release / name).symlink_to("gone")
    assert any(failure.startswith(f"{name}: ") for failure in said(release))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("release.json", "[" * 100_000),
        ("release.json", '{"samples": {"train": ' + "[" * 400 + "]" * 400 + "}}"),
        ("croissant.json", '{"distribution": ' + "[" * 100_000),
        ("croissant.json", '{"identifier": "", "distribution": [{"@type": "cr:FileObject", "contentUrl": 1}]}'),
        ("README.md", "---\n" + "[" * 10_000 + "\n---\n"),
        ("README.md", "---\n!!timestamp x\n---\n"),
        ("tombstones.jsonl", "[" * 100_000 + "\n"),
    ],
)
def test_a_description_that_no_parser_survives_is_reported_and_never_raises(
    release: Path, name: str, text: str
) -> None:
    (release / name).write_text(text)
    seal(release)
    assert any(failure.startswith(f"{name}: ") for failure in said(release))


def test_a_sample_that_no_parser_survives_is_reported_and_never_raises(release: Path) -> None:
    def nest(members: dict[str, bytes]) -> None:
        name = next(name for name in members if name.endswith(".json"))
        members[name] = b"[" * 100_000

    rewrite(release, nest)
    assert any("its JSON cannot be read" in failure for failure in said(release))


def test_what_a_damaged_release_says_can_always_be_printed(release: Path) -> None:
    def spoil(members: dict[str, bytes]) -> None:
        name = next(name for name in members if name.endswith(".json"))
        members[name] = b'{"\\ud800": "half a character"}'

    rewrite(release, spoil)
    assert "\\ud800" in "\n".join(said(release)).encode().decode()


@pytest.mark.parametrize(
    ("name", "change", "problem"),
    [
        ("README.md", lambda text: text.replace("split: train", "split: test"), "names other splits"),
        ("README.md", lambda text: text.replace("---", "", 1), "has no header that Hugging Face can read"),
        ("croissant.json", lambda text: text.replace(" B", "0 B", 1), "does not describe"),
        ("croissant.json", lambda text: text[1:], "is missing or damaged"),
        ("release.json", lambda text: text.replace('"train": 7', '"train": 8'), "counts"),
        ("release.json", lambda text: text.replace('"jpg"', '"gif"'), "names no format"),
        ("release.json", lambda text: "[]", "is missing or damaged"),
    ],
)
def test_a_description_that_is_wrong_is_found_though_sealed_again(
    release: Path, name: str, change: Callable[[str], str], problem: str
) -> None:
    path = release / name
    path.write_text(change(path.read_text()))
    seal(release)
    assert any(failure.startswith(f"{name}: ") and problem in failure for failure in said(release))


def test_every_failure_is_listed_with_file_and_key(release: Path) -> None:
    def spoil(members: dict[str, bytes]) -> None:
        for name in members:
            if name.endswith(".jpg"):
                members[name] = b""

    rewrite(release, spoil)
    report = verify(str(release))
    undecoded = [failure for failure in report.failures if "cannot be decoded" in failure.problem]
    assert len(undecoded) == len({failure.key for failure in undecoded}) == 5
    assert {failure.file for failure in undecoded} == {f"{SHARD}.tar"}


def test_a_key_follows_from_the_picture_and_its_caption(release: Path) -> None:
    """Anyone can check it: nothing but the release is needed."""
    for row in pq.read_table(release / f"{SHARD}.parquet").to_pylist():
        assert pair_id(row["sha256"], row["caption"]) == row["pair_id"]


@pytest.mark.parametrize("where", ["nowhere", "empty"])
def test_a_place_without_a_release_is_an_error_in_one_line(tmp_path: Path, where: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="there is no release here: give the folder that holds SHA256SUMS"):
        verify(str(tmp_path / where))


@pytest.mark.parametrize(
    "values",
    [
        {"caption": "\ud800"},
        {"phash": "zz"},
        {"phash": ""},
        {"url": "ftp://[", "page_url": "http://[::1"},
        {"url": "\ud800", "sha256": "\ud800"},
        {"page_url": "https://é\udc80.jp/"},
        {"match": float("nan")},
        {"width": 2**70},
        {"rights": "[" * 10_000},
    ],
)
def test_a_hostile_sample_is_reported_and_never_raises(made: Any, values: dict[str, Any]) -> None:
    for kind, value in (("url", "https://a.org/"), ("host", "b.org"), ("phash", "0" * 16), ("sha256", "0" * 64)):
        Tombstones.add(made.corpus, kind, value, "asked")
    release = Path(export(made.recipe, made.corpus, made.accepted).url)

    def change(members: dict[str, bytes]) -> None:
        name = next(name for name in members if name.endswith(".json"))
        members[name] = json.dumps(json.loads(members[name]) | values).encode()

    rewrite(release, change)
    assert "its row does not say what its JSON says" in "\n".join(said(release))


def test_rows_of_another_kind_are_reported_and_never_raise(release: Path) -> None:
    path = release / f"{SHARD}.parquet"
    table = pq.read_table(path)
    for column in (
        pa.array([["x"]] * len(table)),
        pa.array([None] * len(table), pa.string()),
        pa.array([b"\xff\xfe"] * len(table)).view(pa.string()),
    ):
        pq.write_table(table.set_column(table.column_names.index("sha256"), "sha256", column), path)
        seal(release)
        assert any(failure.startswith(f"{SHARD}.parquet: ") for failure in said(release))


def test_rubbish_is_reported_and_never_raises(tmp_path: Path) -> None:
    for name in ("SHA256SUMS", "release.json", "README.md", "croissant.json", "x-train-000000.tar", "sizes.json"):
        (tmp_path / name).write_bytes(b"\xff\x00rubbish")
    report = verify(str(tmp_path))
    assert not report.ok
    assert report.samples == 0


def test_a_release_that_was_copied_elsewhere_is_in_order(release: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy of it"
    shutil.copytree(release, copy)
    assert said(copy) == []
