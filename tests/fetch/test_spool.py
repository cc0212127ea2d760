"""The tar of a part holds its images, and nothing that depends on when or by whom it was made."""

from __future__ import annotations

import io
import tarfile
from contextlib import closing
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from waon_build.fetch.spool import ImageTar, Spool

Images = st.dictionaries(st.text("0123456789abcdef", min_size=64, max_size=64), st.binary(max_size=2000), max_size=6)


def packed(images: dict[str, bytes]) -> tuple[bytes, list[tuple[int, int]]]:
    file = io.BytesIO()
    with closing(ImageTar(file)) as tar:
        places = [tar.add(sha256, "jpg", data) for sha256, data in images.items()]
    return file.getvalue(), [tuple(place) for place in places]


@given(Images)
def test_any_tar_reader_finds_the_images_where_their_places_say(images: dict[str, bytes]) -> None:
    data, places = packed(images)
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        members = tar.getmembers()
        assert [tar.extractfile(member).read() for member in members] == list(images.values())  # type: ignore[union-attr]
    assert [(member.offset_data, member.size) for member in members] == places
    assert [data[offset : offset + size] for offset, size in places] == list(images.values())
    assert [member.name for member in members] == [f"{sha256[:32]}.jpg" for sha256 in images]


@given(Images)
def test_the_same_images_in_the_same_order_give_the_same_bytes(images: dict[str, bytes]) -> None:
    assert packed(images) == packed(dict(images))


def test_an_image_that_is_in_the_tar_already_is_known_by_the_bytes_it_was_made_from() -> None:
    tar = ImageTar(io.BytesIO())
    place = tar.add("ab" * 32, "jpg", b"one")
    assert tar.place("ab" * 32) == place
    assert tar.place("cd" * 32) is None


def test_the_spool_gives_back_what_was_put_in_any_order(tmp_path: Path) -> None:
    with closing(Spool(str(tmp_path))) as spool:
        places = [spool.put(bytes([n]) * n) for n in range(9)]
        assert [spool.get(place) for place in reversed(places)] == [bytes([n]) * n for n in reversed(range(9))]
