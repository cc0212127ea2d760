"""A real Label Studio takes our tasks and our labelling interface, and we take what it exports.

It is large and has its own environment: `make test-labelstudio` installs it and runs these tests, `make test`
does not. Traffic stays on loopback.
"""

from __future__ import annotations

import http.cookiejar
import json
import os
import re
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from waon_build.annotation.connectors.tools import Tool

TakeIn = Callable[[Path], dict[str, Any]]
Answers = Callable[[], list[Any]]

LABEL_STUDIO = os.environ.get("WAON_LABEL_STUDIO")

pytestmark = [
    pytest.mark.skipif(
        LABEL_STUDIO is None, reason="needs Label Studio in an environment of its own: see its make target"
    ),
    pytest.mark.timeout(600),
]

TOKEN = "0123456789abcdef" * 2 + "01234567"


class Studio:
    """A running server, as one of its users."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.token: str | None = TOKEN
        self._jar = http.cookiejar.CookieJar()
        self._open = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self._jar)).open

    def call(self, method: str, path: str, body: Any = None, form: bool = False) -> Any:
        """What an address answers: JSON as what it says, anything else as bytes."""
        data, headers = None, {"Referer": self.address}
        if body is not None:
            data = urllib.parse.urlencode(body).encode() if form else json.dumps(body).encode()
            headers["Content-Type"] = "application/x-www-form-urlencoded" if form else "application/json"
        if self.token:
            headers["Authorization"] = f"Token {self.token}"
        for cookie in self._jar:
            if cookie.name == "csrftoken":
                headers["X-CSRFToken"] = cookie.value or ""
        request = urllib.request.Request(self.address + path, data, headers, method=method)
        try:
            with self._open(request, timeout=60) as reply:
                content = reply.read()
                return json.loads(content) if "json" in reply.headers.get("Content-Type", "") else content
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{method} {path}: {error.code} {error.read()[:500]!r}") from error

    def invited(self, email: str) -> Studio:
        """A new user of the same server, who signs up as people do."""
        address = self.call("GET", "/api/invite")["invite_url"]
        other = Studio(self.address)
        other.token = None
        page = other.call("GET", address).decode()
        secret = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
        assert secret is not None
        form = {"csrfmiddlewaretoken": secret[1], "email": email, "password": "a-long-password-1"}
        other.call("POST", address, form, form=True)
        assert other.call("GET", "/api/current-user/whoami")["email"] == email
        return other

    def project(self, folder: Path) -> int:
        """A project of what was handed out."""
        config = (folder / "labelling.xml").read_text(encoding="utf-8")
        project = self.call(
            "POST", "/api/projects", {"title": "門松の判定", "label_config": config, "maximum_annotations": 2}
        )
        number = int(project["id"])
        tasks = json.loads((folder / "tasks.json").read_text(encoding="utf-8"))
        taken = self.call("POST", f"/api/projects/{number}/import", tasks)
        assert taken["task_count"] == len(tasks)
        storage = {"project": number, "path": str(folder / "pictures"), "use_blob_urls": True}
        self.call("POST", "/api/storages/localfiles", storage)
        return number

    def tasks(self, project: int) -> dict[int, Any]:
        """The tasks of a project, by the number of the pair."""
        listed = self.call("GET", f"/api/tasks?project={project}&page_size=100")["tasks"]
        return {int(task["data"]["pair_id"], 16): task for task in listed}

    def answer(self, task: int, skipped: bool = False, **answers: Any) -> int:
        """Answer a task as its page does; returns the annotation's id."""
        result = [
            {
                "id": name,
                "from_name": name,
                "to_name": "picture",
                "type": "textarea" if name == "better_caption" else "choices",
                "value": {
                    "text" if name == "better_caption" else "choices": given if isinstance(given, list) else [given]
                },
            }
            for name, given in answers.items()
        ]
        body = {"result": result, "was_cancelled": skipped, "lead_time": 6.25}
        return int(self.call("POST", f"/api/tasks/{task}/annotations/", body)["id"])

    def export(self, project: int, form: str, path: Path) -> Path:
        content = self.call("GET", f"/api/projects/{project}/export?exportType={form}")
        path.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
        return path


@pytest.fixture
def handed(handed_out: Callable[[Tool], Any]) -> Any:
    return handed_out(Tool.LABEL_STUDIO)


@pytest.fixture
def studio(handed: Any, free_port: int, tmp_path: Path) -> Iterator[Studio]:
    """A server of our own, on SQLite, with nobody to report to, started as the folder's README says."""
    quiet = {"LATEST_VERSION_CHECK": "false", "COLLECT_ANALYTICS": "false", "SENTRY_DSN": "", "FRONTEND_SENTRY_DSN": ""}
    local = {
        "LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED": "true",
        "LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT": str(handed.folder),
    }
    ours = {"LABEL_STUDIO_BASE_DATA_DIR": str(tmp_path / "data"), "HOME": str(tmp_path)}
    command = [str(Path(LABEL_STUDIO or "").absolute()), "start", "--no-browser", "--internal-host", "127.0.0.1"]
    command += ["--port", str(free_port), "--data-dir", str(tmp_path / "data")]
    command += ["--username", "one@example.org", "--password", "a-long-password-1"]
    command += ["--user-token", TOKEN, "--enable-legacy-api-token"]
    with (tmp_path / "server.log").open("wb") as log:
        environment = {
            **{name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
            **quiet,
            **local,
            **ours,
        }
        server = subprocess.Popen(command, env=environment, cwd=tmp_path, stdout=log, stderr=log)
    try:
        found = Studio(f"http://127.0.0.1:{free_port}")
        _wait_for(found, server, tmp_path / "server.log")
        yield found
    finally:
        server.terminate()
        server.wait(30)


def _wait_for(studio: Studio, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline:
        assert server.poll() is None, log.read_text(errors="replace")[-2000:]
        try:
            urllib.request.urlopen(studio.address + "/health", timeout=5).close()
            return
        except OSError:
            time.sleep(0.5)
    raise AssertionError(log.read_text(errors="replace")[-2000:])


def test_tasks_go_to_a_real_server_and_what_two_people_say_comes_back(
    studio: Studio, handed: Any, engine: Engine, take_in: TakeIn, said: Answers, tmp_path: Path
) -> None:
    project = studio.project(handed.folder)
    tasks = studio.tasks(project)
    assert tasks[5]["data"]["caption"] == handed.hostile
    assert studio.call("GET", tasks[0]["data"]["picture"]) == handed.picture

    one, two = studio, studio.invited("two@example.org")
    first = one.answer(tasks[0]["id"], match="3", culture="specific", category="food")
    two.answer(tasks[0]["id"], match="2", culture="related")
    flags, better = ["advertisement", "generated"], ['毬の、\n"よい"文']
    whole = {"category": "event", "flags": flags, "better_caption": better, "better_caption_consent": "yes"}
    one.answer(tasks[1]["id"], match="cannot_tell", culture="related", **whole)
    one.answer(tasks[2]["id"], match="0", culture="not", better_caption_consent="yes")
    two.answer(tasks[2]["id"], match="1")
    one.answer(tasks[3]["id"], skipped=True)
    two.answer(tasks[3]["id"], match="1", culture="not", flags="personal")

    counts = take_in(studio.export(project, "JSON", tmp_path / "all.json"))
    assert counts == {"read": 7, "kept": 5, "dropped": {"skipped": 1, "unfinished": 1}}
    event = {"match": "cannot_tell", "culture": "related", "category": "event", "flags": flags}
    assert [(a.pair, a.wall_ms, a.answers) for a in said()] == [
        (0, 6250, {"match": 3, "culture": "specific", "category": "food"}),
        (0, 6250, {"match": 2, "culture": "related"}),
        (1, 6250, {**event, "better_caption": better[0], "better_caption_consent": True}),
        (2, 6250, {"match": 0, "culture": "not"}),
        (3, 6250, {"match": 1, "culture": "not", "flags": ["personal"]}),
    ]
    counts = take_in(studio.export(project, "JSON_MIN", tmp_path / "min.json"))
    assert counts == {"read": 6, "kept": 0, "dropped": {"already_there": 5, "unfinished": 1}}

    result = studio.call("GET", f"/api/annotations/{first}/")["result"]
    result[0]["value"]["choices"] = ["1"]
    one.call("PATCH", f"/api/annotations/{first}/", {"result": result, "lead_time": 9.5})
    assert take_in(studio.export(project, "JSON", tmp_path / "all.json"))["kept"] == 1
    changed = {"match": 1, "culture": "specific", "category": "food"}
    assert (0, 9500, changed) in [(a.pair, a.wall_ms, a.answers) for a in said()]
    assert b"example.org" not in Path(str(engine.url.database)).read_bytes()


def test_its_page_asks_what_is_to_be_asked_and_shows_a_hostile_caption_as_text(
    studio: Studio, handed: Any, chromium: Any, take_in: TakeIn, said: Answers, tmp_path: Path
) -> None:
    project = studio.project(handed.folder)
    task = studio.tasks(project)[5]["id"]
    asked: list[str] = []
    page = chromium.new_page(viewport={"width": 1500, "height": 950})
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{studio.address}/user/login/")
    page.fill("input[name=email]", "one@example.org")
    page.fill("input[name=password]", "a-long-password-1")
    page.click("button[type=submit]")
    page.wait_for_url(re.compile("/(projects|$)"))
    page.goto(f"{studio.address}/projects/{project}/data?task={task}")

    def pick(label: str) -> None:
        page.locator("label").filter(has_text=re.compile(label)).first.click()

    page.get_by_text("文は、写真に写っているものを言い表していますか。").wait_for()
    assert page.get_by_text(handed.hostile).last.is_visible()
    category = page.get_by_text("いちばん近い分野はどれですか。")
    assert not category.is_visible()
    pick("^よく合っている")
    pick("^固有")
    category.wait_for()
    pick("^食べ物・飲み物")
    pick("^関係がない")
    category.wait_for(state="hidden")
    page.locator("textarea").first.fill("書いただけで、足すボタンは押さない")
    pick("^この文を公開してもよい")
    with page.expect_response(lambda reply: reply.request.method == "POST" and "/annotations" in reply.url):
        page.get_by_test_id("bottombar-submit-button").click()
    assert page.title() != "run"
    assert [url for url in asked if not url.startswith((studio.address, "data:", "blob:"))] == []

    assert take_in(studio.export(project, "JSON", tmp_path / "all.json"))["kept"] == 1
    (answer,) = said()
    better = {"better_caption": "書いただけで、足すボタンは押さない", "better_caption_consent": True}
    assert (answer.pair, answer.answers) == (5, {"match": 3, "culture": "not", **better})
    assert answer.wall_ms > 0
