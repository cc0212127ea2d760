"""Tasks go out into a folder, whole or not at all, and nothing in it asks a stranger's server for anything."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from waon_build.annotation import queue
from waon_build.annotation.connectors.campaign import Campaign
from waon_build.annotation.connectors.handing_out import HandedOut, hand_out
from waon_build.annotation.connectors.tools import Tool
from waon_build.annotation.models import Kind
from waon_build.annotation.shown import Shown
from waon_build.records import InputError

pytestmark = pytest.mark.parametrize("tool", list(Tool))


@pytest.fixture
def waiting(engine: Engine, six_pairs: None) -> list[Shown]:
    with engine.connect() as connection:
        return list(queue.waiting(connection))


def bytes_of(stored_in: str, offset: int, size: int) -> bytes:
    return f"{stored_in} {offset} {size}".encode()


def test_a_folder_holds_tasks_interface_pictures_and_how_to_go_on(
    tool: Tool, campaign: Campaign, waiting: list[Shown], tmp_path: Path
) -> None:
    told: list[tuple[int, int]] = []
    made = hand_out(tool, campaign, waiting, tmp_path / "out", bytes_of, lambda *done: told.append(done))
    assert made == HandedOut(tasks=6, pictures=6)
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names >= {"README.md", "guideline.html", "pictures"}
    assert len(names) == 5
    guideline = (tmp_path / "out" / "guideline.html").read_text(encoding="utf-8")
    for section in campaign.guideline.sections.values():
        assert section.html in guideline
    for task in waiting:
        written = (tmp_path / "out" / "pictures" / f"{task.pair_id}.jpg").read_bytes()
        assert written == bytes_of(task.stored_in, task.offset, task.size)
    assert told[-1] == (6, 6)
    readme = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    assert "2 people" in readme
    assert "OVERLAP" not in readme


def test_no_address_of_a_picture_or_page_goes_out(
    tool: Tool, campaign: Campaign, waiting: list[Shown], tmp_path: Path
) -> None:
    hand_out(tool, campaign, waiting, tmp_path / "out", bytes_of)
    for path in (tmp_path / "out").glob("*.*"):
        assert "example/" not in path.read_text(encoding="utf-8"), path


def test_a_pair_with_two_tasks_has_one_picture(
    tool: Tool, campaign: Campaign, engine: Engine, queued: Callable[..., None], tmp_path: Path
) -> None:
    queued(range(2))
    queued(range(1, 3), kind=Kind.SCREENED_OUT)
    with engine.connect() as connection:
        made = hand_out(tool, campaign, queue.waiting(connection), tmp_path / "out", bytes_of)
    assert made == HandedOut(tasks=4, pictures=3)


def test_what_cannot_be_made_whole_is_not_made(
    tool: Tool, campaign: Campaign, waiting: list[Shown], tmp_path: Path
) -> None:
    def gone(stored_in: str, offset: int, size: int) -> bytes:
        if offset > 1024:
            raise FileNotFoundError(2, "No such file or directory")
        return b"picture"

    with pytest.raises(InputError, match=r"g0001-000001: picture 0000000000000003\.jpg cannot be read"):
        hand_out(tool, campaign, waiting, tmp_path / "out", gone)
    assert list(tmp_path.glob("*out*")) == []
    assert list(tmp_path.glob(".*out*")) == []


def test_a_run_that_is_interrupted_leaves_nothing(
    tool: Tool, campaign: Campaign, waiting: list[Shown], tmp_path: Path
) -> None:
    def interrupted() -> Iterator[Shown]:
        yield waiting[0]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        hand_out(tool, campaign, interrupted(), tmp_path / "out", bytes_of)
    assert list(tmp_path.glob(".*out*")) == []


def test_an_empty_folder_will_do_and_one_that_holds_something_is_left_alone(
    tool: Tool, campaign: Campaign, waiting: list[Shown], tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    hand_out(tool, campaign, waiting, tmp_path / "empty", bytes_of)
    for place in (tmp_path / "empty", tmp_path / "empty" / "README.md"):
        before = sorted(tmp_path.rglob("*"))
        with pytest.raises(InputError, match="holds something already: give --out a new folder"):
            hand_out(tool, campaign, waiting, place, bytes_of)
        assert sorted(tmp_path.rglob("*")) == before


def test_a_place_that_cannot_be_written_is_one_line(
    tool: Tool, campaign: Campaign, waiting: list[Shown], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        hand_out(tool, campaign, waiting, tmp_path / "file" / "out", bytes_of)


def test_no_tasks_are_an_empty_list(tool: Tool, campaign: Campaign, tmp_path: Path) -> None:
    assert hand_out(tool, campaign, [], tmp_path / "out", bytes_of) == HandedOut(0, 0)
    tasks = {Tool.LABEL_STUDIO: "tasks.json", Tool.POTATO: "tasks.jsonl"}[tool]
    assert (tmp_path / "out" / tasks).read_text() in ("[]\n", "")
