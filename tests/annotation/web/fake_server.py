"""A small server that speaks the page's side of the contract, in memory: to build the pages before the real one is there."""

from __future__ import annotations

import http.server
import io
import itertools
import json
import re
import secrets
import threading
import time
from datetime import UTC, datetime, timedelta
from importlib import resources
from types import SimpleNamespace
from typing import Any

import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined
from markdown_it import MarkdownIt

from waon_build.annotation.web.texts import catalogue
from waon_build.demo import pictures

MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable("table")
CSP = (
    "default-src 'none'; img-src 'self' blob:; script-src 'self'; style-src 'self'; connect-src 'self'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; manifest-src 'self'; worker-src 'self'"
)
TYPES = {"js": "text/javascript", "css": "text/css", "svg": "image/svg+xml", "webmanifest": "application/manifest+json"}


def guideline(language: str) -> tuple[str, list[Any], list[Any]]:
    folder = resources.files("annotation_guidelines") / language
    text = (folder / "guideline.md").read_text(encoding="utf-8").split("---\n", 2)[2]
    pieces = re.split(r"^<!-- ([a-z_]+) -->$", text, flags=re.M)
    sections = []
    for name, body in zip(pieces[1::2], pieces[2::2], strict=True):
        head, _, rest = body.strip().partition("\n")
        sections.append(SimpleNamespace(name=name, title=head.lstrip("# "), html=MARKDOWN.render(rest)))
    questions = yaml.load((folder / "questions.yaml").read_text(encoding="utf-8"), Loader=yaml.BaseLoader)["questions"]
    for question in questions:
        question.setdefault("options", [])
        question.setdefault("only_if", {})
        question["required"] = question.get("required") == "true"
        question["max_characters"] = int(question.get("max_characters", 0))
        for option in question["options"]:
            option["rejects"] = option.get("rejects") == "true"
    return MARKDOWN.render(pieces[0]), sections, questions


class FakeSite:
    def __init__(self, language: str = "ja", scenes: list[str] | None = None, captions: dict[int, str] | None = None, count: int = 60) -> None:
        self.language = language
        self.lock = threading.Lock()
        names = scenes or ["koi", "pagoda", "castle", "machiya", "cat", "crane"]
        self.names = names
        self.jpegs: dict[str, bytes] = {}
        self.tasks = {}
        for number in range(1, count + 1):
            scene = pictures.scenes()[names[(number - 1) % len(names)]]
            caption = (captions or {}).get(number, scene.captions[0])
            self.tasks[number] = {"scene": scene, "caption": caption, "opinions": None}
        self.leases: dict[int, dict[str, Any]] = {}
        self.answers: dict[int, dict[str, Any]] = {}
        self.by_token: dict[str, dict[str, Any]] = {}
        self.skips: list[dict[str, Any]] = []
        self.reports: list[dict[str, Any]] = []
        self.closed: dict[int, str] = {}
        self.undone: dict[int, Any] = {}
        self.ids = itertools.count(100)
        self.requests: list[str] = []
        self.why_empty = "nothing_left"
        self.signed_in = True
        self.role = "annotator"
        self.lease_seconds = 600
        self.fail: dict[str, int] = {}
        self.delay = 0.0
        self.invited_problem = None
        self.env = Environment(
            loader=PackageLoader("waon_build.annotation.web"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
        )
        handler = type("Handler", (_Handler,), {"site": self})
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def jpeg(self, number: int) -> bytes:
        name = self.tasks[number]["scene"].name
        with self.lock:
            if name not in self.jpegs:
                out = io.BytesIO()
                pictures.picture(name).save(out, "JPEG", quality=85)
                self.jpegs[name] = out.getvalue()
            return self.jpegs[name]

    # --- api

    def held(self) -> dict[str, Any]:
        now = datetime.now(UTC)
        for number in list(self.leases):
            if self.leases[number]["expires"] < now:
                del self.leases[number]
        for number in self.tasks:
            if len(self.leases) >= 3:
                break
            if number not in self.leases and number not in self.answers and number not in self.closed:
                self.leases[number] = {"token": secrets.token_hex(16)}
                self.leases[number]["expires"] = now + timedelta(seconds=self.lease_seconds)
        tasks = []
        for number, lease in self.leases.items():
            lease["expires"] = now + timedelta(seconds=self.lease_seconds)
            task = self.tasks[number]
            width, height = task["scene"].size
            row = {
                "task_id": number, "token": lease["token"], "expires_at": lease["expires"].isoformat(),
                "caption": task["caption"], "picture": f"/pictures/{number}", "width": width, "height": height,
            }
            if task["opinions"]:
                row["opinions"] = task["opinions"]
            if number in self.undone:
                row["answers"] = self.undone[number]
            tasks.append(row)
        tasks.sort(key=lambda row: "answers" not in row)
        answer = {
            "tasks": tasks,
            "counts": {"today": len(self.answers), "total": 40 + len(self.answers),
                       "active_minutes_today": sum(a["active_ms"] for a in self.answers.values()) / 60000},
        }
        if not tasks:
            answer["why_empty"] = self.why_empty
        return answer

    def gone(self, number: int, token: str) -> str | None:
        lease = self.leases.get(number)
        if lease is not None and lease["token"] == token and lease["expires"] > datetime.now(UTC):
            return None
        return self.closed.get(number, "lease_lost")

    def call(self, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        t = catalogue(self.language)

        def no(status: int, word: str) -> tuple[int, dict[str, Any]]:
            return status, {"error": word, "message": t("error." + word)}

        if not self.signed_in:
            return no(401, "signed_out")
        match path:
            case "/api/claim":
                return 200, self.held()
            case "/api/submit":
                known = self.by_token.get(body["token"])
                if known and known["answers"] == body["answers"]:
                    return 200, self.held() | {"annotation_id": known["id"]}
                number = body["task_id"]
                if number in self.answers:
                    return no(409, "already_answered")
                if word := self.gone(number, body["token"]):
                    return no(409, word)
                del self.leases[number]
                self.undone.pop(number, None)
                self.answers[number] = self.by_token[body["token"]] = body | {"id": next(self.ids), "at": datetime.now(UTC).isoformat()}
                return 200, self.held() | {"annotation_id": self.answers[number]["id"]}
            case "/api/skip" | "/api/report":
                number = body["task_id"]
                if word := self.gone(number, body["token"]):
                    return no(409, word)
                del self.leases[number]
                self.closed[number] = "task_reported" if path == "/api/report" else "lease_lost"
                (self.reports if path == "/api/report" else self.skips).append(body)
                return 200, self.held()
            case "/api/renew":
                out: dict[str, Any] = {"held": [], "gone": []}
                for row in body["held"]:
                    word = self.gone(row["task_id"], row["token"])
                    if word:
                        out["gone"].append({"task_id": row["task_id"], "error": word})
                    else:
                        lease = self.leases[row["task_id"]]
                        lease["expires"] = datetime.now(UTC) + timedelta(seconds=self.lease_seconds)
                        out["held"].append({"task_id": row["task_id"], "expires_at": lease["expires"].isoformat()})
                return 200, out
            case "/api/release":
                self.leases = {n: lease for n, lease in self.leases.items() if lease["token"] not in body["tokens"]}
                return 200, {}
            case "/api/recent":
                rows = sorted(self.answers.items(), key=lambda row: -row[1]["id"])[:10]
                return 200, {"answers": [
                    {"annotation_id": a["id"], "task_id": n, "caption": self.tasks[n]["caption"], "picture": f"/pictures/{n}",
                     "answers": a["answers"], "created_at": a["at"], "can_undo": True} for n, a in rows]}
            case "/api/undo":
                found = [n for n, a in self.answers.items() if a["id"] == body["annotation_id"]]
                if not found:
                    return no(409, "not_answered")
                number = found[0]
                self.undone[number] = self.answers.pop(number)["answers"]
                self.leases[number] = {"token": secrets.token_hex(16), "expires": datetime.now(UTC) + timedelta(seconds=self.lease_seconds)}
                return 200, self.held()
        return no(404, "not_found")

    # --- pages

    def page(self, name: str, language: str, path: str, **values: Any) -> str:
        person = SimpleNamespace(
            id="5f2c81d09e7a4b36a1d0c4e2f8b97531", role=self.role, standing="active", because="", qualified=True,
            is_coordinator=self.role == "coordinator", short="5f2c81d0",
        )
        return self.env.get_template(name).render(
            t=catalogue(language), language=language, languages=[("ja", "日本語"), ("en", "English")], path=path,
            csrf="c" * 32, person=None if name in ("welcome.html", "invite.html") else person, contact="annotate@example.org",
            campaign_title="", guideline_language=self.language, **values,
        )

    def get(self, path: str, language: str) -> tuple[int, str]:
        introduction, sections, questions = guideline(self.language)
        match path:
            case "/":
                return 200, self.page("welcome.html", language, path)
            case "/judge":
                campaign = {
                    "language": self.language, "guideline_version": "2026-11-1", "lease_seconds": self.lease_seconds, "role": self.role,
                    "questions": questions, "texts": catalogue(language).for_page(), "pay": None,
                }
                return 200, self.page("judge.html", language, path, campaign=campaign, sections=sections, caption_language=self.language)
            case "/guideline":
                history = [SimpleNamespace(version="2026-11-1", date="2026-11-20", note="最初の版")]
                data = SimpleNamespace(title="", version="2026-11-1", introduction=introduction, sections=sections, history=history)
                return 200, self.page("guideline.html", language, path, guideline=data)
            case "/invite/new" | "/invite/device":
                return 200, self.page(
                    "invite.html", language, path, sections=sections, pay=None, until=datetime.now(UTC), guideline_version="2026-11-1",
                    is_new=path.endswith("new"), problem=self.invited_problem)
            case "/me":
                fields = [
                    SimpleNamespace(name="native_language", options=[("ja", "日本語"), ("other", "その他")], value="ja", may_publish=True),
                    SimpleNamespace(name="region", options=[("kanto", "関東"), ("kansai", "関西")], value="", may_publish=False),
                ]
                figures = SimpleNamespace(today=84, total=1320, active_minutes_today=72.4, since=None)
                return 200, self.page("me.html", language, path, fields=fields, figures=figures, link=None, saved=None)
        return 404, self.page("error.html", language, path, status=404, word="not_found", message=catalogue(language)("error.not_found"))


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    site: FakeSite

    def log_message(self, *_: Any) -> None:
        pass

    def send(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Security-Policy", CSP)
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)

    def language(self) -> str:
        if "language=en" in self.headers.get("Cookie", ""):
            return "en"
        return self.site.language

    def do_GET(self) -> None:
        path = self.path.split("?")[0]
        self.site.requests.append(path)
        if path.startswith("/static/"):
            file = resources.files("waon_build.annotation.web") / "static" / path.removeprefix("/static/")
            return self.send(200, file.read_bytes(), TYPES[path.rsplit(".", 1)[1]])
        if path.startswith("/pictures/"):
            return self.send(200, self.site.jpeg(int(path.rsplit("/", 1)[1])), "image/jpeg")
        if path.startswith("/api/"):
            with self.site.lock:
                status, reply = self.site.call(path, {})
            return self.send(status, json.dumps(reply).encode(), "application/json")
        status, text = self.site.get(path, self.language())
        return self.send(status, text.encode(), "text/html; charset=utf-8")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.site.requests.append(self.path)
        if not self.path.startswith("/api/"):
            self.send_response(303)
            self.send_header("Location", "/")
            if self.path == "/language":
                language = "en" if b"language=en" in body else "ja"
                self.send_header("Set-Cookie", f"language={language}; Path=/")
            self.send_header("Content-Length", "0")
            return self.end_headers()
        time.sleep(self.site.delay)
        if self.headers.get("X-CSRF-Token") != "c" * 32:
            return self.send(403, b'{"error": "csrf", "message": ""}', "application/json")
        with self.site.lock:
            status, reply = self.site.call(self.path, json.loads(body))
        return self.send(status, json.dumps(reply).encode(), "application/json")
