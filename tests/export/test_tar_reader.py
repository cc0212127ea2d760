"""The strict reader: whatever bytes it is given, it yields true samples or says what is wrong."""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from waon_build.export.tar_reader import StoredSample, TarError, samples_in

KEY = "0123456789abcdef"


def made_tar(
    names: list[str], form: int = tarfile.USTAR_FORMAT, change: Callable[[tarfile.TarInfo], None] | None = None
) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=form) as tar:
        for name in names:
            info = tarfile.TarInfo(name)
            info.size = len(name)
            if change:
                change(info)
            tar.addfile(info, io.BytesIO(name.encode()))
    return file.getvalue()


def read(data: bytes) -> list[StoredSample]:
    return list(samples_in(io.BytesIO(data), len(data), "jpg", hashlib.sha256()))


def sample(key: str = KEY) -> list[str]:
    return [f"{key}.jpg", f"{key}.txt", f"{key}.json"]


def test_samples_are_read_as_they_were_written() -> None:
    data = made_tar([*sample(), *sample("f" * 16)])
    found = read(data)
    assert [one.key for one in found] == [KEY, "f" * 16]
    assert [one.caption.decode() for one in found] == [f"{KEY}.txt", "f" * 16 + ".txt"]
    assert all(data[one.offset :].startswith(one.image) for one in found)


def test_every_byte_read_is_fed_to_the_hash() -> None:
    data, state = made_tar(sample()), hashlib.sha256()
    list(samples_in(io.BytesIO(data), len(data), "jpg", state))
    assert state.hexdigest() == hashlib.sha256(data).hexdigest()


def float_time(info: tarfile.TarInfo) -> None:
    info.mtime = 1700000000.5


def owned(info: tarfile.TarInfo) -> None:
    info.uname = "alice"


def link(info: tarfile.TarInfo) -> None:
    info.type = tarfile.SYMTYPE
    info.linkname = "/etc/passwd"
    info.size = 0


def negative(data: bytes) -> bytes:
    """`data` with a size of -1 in its first header, as GNU tar would write it."""
    block = bytearray(data[:512])
    block[124:136] = b"\xff" * 12
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block) + data[512:]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (made_tar([KEY + ".jpg", KEY + ".json", KEY + ".txt"]), "not side by side"),
        (made_tar([KEY + ".jpg", "f.txt", KEY + ".json"]), "not side by side"),
        (made_tar([KEY + ".jpg", KEY + ".txt"]), "the end stands where"),
        (made_tar([KEY + ".webp", KEY + ".txt", KEY + ".json"]), "begins with KEY.jpg"),
        (made_tar(["a.b.jpg", "a.b.txt", "a.b.json"]), "begins with KEY.jpg"),
        (made_tar(sample(), tarfile.PAX_FORMAT, float_time), "PAX"),
        (made_tar(sample("k" * 120), tarfile.GNU_FORMAT), "GNU"),
        (made_tar(sample(), change=owned), "not the plain one"),
        (made_tar(sample(), change=link), "not the plain one"),
        (made_tar(sample("é")), "not the plain one"),
        (made_tar(sample("../" * 40)[:1], tarfile.USTAR_FORMAT), "not the plain one"),
        (negative(made_tar(sample())), "not the plain one"),
        (made_tar(sample())[:-1], "does not end"),
        (made_tar(sample()) + bytes(512), "does not end"),
        (made_tar(sample())[:600], "in the middle"),
        (made_tar(sample())[:1024], "in the middle"),
        (b"", "in the middle"),
        (b"\x1f\x8b" + bytes(1000), "no tar header"),
    ],
)
def test_a_tar_that_is_not_as_a_release_has_it_is_refused(data: bytes, said: str) -> None:
    with pytest.raises(TarError, match=said):
        read(data)


def test_a_size_that_claims_more_than_the_file_has_costs_nothing() -> None:
    data = bytearray(made_tar(sample()))
    info = tarfile.TarInfo(KEY + ".jpg")
    info.size = (8 << 30) - 1
    data[:512] = info.tobuf(tarfile.USTAR_FORMAT)
    with pytest.raises(TarError, match="in the middle"):
        read(bytes(data))


@settings(deadline=None)
@given(st.data())
def test_damaged_bytes_are_refused_or_read_as_samples_never_worse(data: st.DataObject) -> None:
    whole = bytearray(made_tar([*sample(), *sample("f" * 16)]))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, 4095))] = data.draw(st.integers(0, 255))
    cut = bytes(whole[: data.draw(st.integers(0, len(whole)))])
    try:
        found = read(cut)
    except TarError:
        return
    assert [one.key for one in found] == [KEY, "f" * 16]
