"""A W&B on loopback that answers what its client asks when runs are sent, and keeps what it was told of each run."""

import gzip
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class ToldRun:
    """A run as the server knows it; lines of a file are kept by their offset, as W&B keeps them."""

    fields: dict[str, Any] = field(default_factory=dict)
    lines: dict[str, dict[int, str]] = field(default_factory=dict)
    exit_code: int | None = None

    @property
    def history(self) -> list[dict[str, Any]]:
        return [json.loads(line) for _, line in sorted(self.lines.get("wandb-history.jsonl", {}).items())]

    @property
    def summary(self) -> dict[str, Any]:
        return json.loads(max(self.lines.get("wandb-summary.json", {0: "{}"}).items())[1])


class FakeWandb(ThreadingHTTPServer):
    """Keeps runs by id; ``refuses`` is the status with which it answers the next posts of history."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.runs: dict[str, ToldRun] = {}
        self.asked: list[str] = []
        self.bodies: list[bytes] = []
        self.refuses = 0

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing where the client hangs up, as it does when it ends."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def answer(self, operation: str, said: dict[str, Any]) -> dict[str, Any]:
        """Answer an operation of the GraphQL interface."""
        self.asked.append(operation)
        if operation == "UpsertBucket":
            new = said["name"] not in self.runs
            run = self.runs.setdefault(said["name"], ToldRun())
            run.fields |= {name: value for name, value in said.items() if value is not None}
            return {"upsertBucket": {"bucket": self._bucket(said["name"]), "inserted": new}}
        if operation == "RunResumeStatus":
            bucket = self._bucket(said["name"]) if said["name"] in self.runs else None
            return {"model": {**_PROJECT, "bucket": bucket}}
        if operation == "CreateRunFiles":
            files = [{"name": name, "uploadUrl": f"{self.url}/upload/{name}"} for name in said["files"]]
            return {"createRunFiles": {"runID": said["run"], "uploadHeaders": [], "files": files}}
        return {}

    def _bucket(self, name: str) -> dict[str, Any]:
        run = self.runs[name]
        rows = [line for _, line in sorted(run.lines.get("wandb-history.jsonl", {}).items())]
        return {
            "id": f"id-{name}",
            "name": name,
            "displayName": run.fields.get("displayName"),
            "description": None,
            "config": run.fields.get("config", "{}"),
            "summaryMetrics": json.dumps(run.summary),
            "sweepName": None,
            "project": {**_PROJECT},
            "historyLineCount": len(rows),
            "logLineCount": 0,
            "eventsLineCount": 0,
            "historyTail": json.dumps(rows[-1:]),
            "eventsTail": "[]",
            "tags": run.fields.get("tags"),
            "notes": None,
            "wandbConfig": '{"t": 1}',
        }

    def take(self, name: str, told: dict[str, Any]) -> None:
        """Keep what the file stream says of a run."""
        run = self.runs[name]
        for file, chunk in told.get("files", {}).items():
            lines = run.lines.setdefault(file, {})
            lines |= {chunk["offset"] + place: line for place, line in enumerate(chunk["content"])}
        if told.get("complete"):
            run.exit_code = told.get("exitcode")


_PROJECT = {"id": "project", "name": "flux", "entity": {"id": "entity", "name": "me"}}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: FakeWandb

    def log_message(self, *args: Any) -> None:
        """Print nothing."""

    def do_POST(self) -> None:
        raw = self._body()
        self.server.bodies.append(raw)
        body = json.loads(raw)
        if self.path == "/graphql":
            data = self.server.answer(body.get("operationName", ""), body.get("variables") or {})
            self._send({"data": data})
        elif self.path.endswith("/file_stream"):
            if self.server.refuses:
                self._send({"error": "refused"}, self.server.refuses)
                return
            self.server.take(self.path.split("/")[-2], body)
            self._send({"exitcode": None, "limits": {}})
        else:
            self._send({}, 404)

    def do_PUT(self) -> None:
        self.server.bodies.append(self._body())
        self._send({})

    def do_GET(self) -> None:
        self._send({})

    def _body(self) -> bytes:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        return gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body

    def _send(self, said: dict[str, Any], status: int = 200) -> None:
        body = json.dumps(said).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def fake_wandb() -> Iterator[FakeWandb]:
    """Serve until the body ends."""
    server = FakeWandb()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
