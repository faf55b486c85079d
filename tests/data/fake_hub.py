"""A Hub of one dataset on this machine, with the requests `datasets` makes, and its faults."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

SHA = "0123456789abcdef0123456789abcdef01234567"


class FakeHub:
    """Serves `files` (path -> bytes) as one dataset repository; counts what it is asked for.

    Args:
      repository: owner/name.
      files: path in the repository -> content.
      fault: "" or "silent" (accepts, never answers), "503" or "cut" (half of every file comes).
    """

    def __init__(self, repository: str, files: dict[str, bytes], fault: str = "") -> None:
        self.repository, self.files, self.fault = repository, files, fault
        self.asked: list[str] = []
        self.closing = threading.Event()
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                hub.answer(self)

            do_HEAD = do_GET
            do_POST = do_GET

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.endpoint = f"http://127.0.0.1:{self.server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self.server.shutdown()
        self.server.server_close()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        path = request.path.split("?")[0]
        self.asked.append(f"{request.command} {path}")
        if self.fault == "silent":
            self.closing.wait(30)
            return
        if self.fault == "503":
            self.send(request, 503, b"busy")
            return
        resolve = re.fullmatch(rf"/datasets/{self.repository}/resolve/([^/]+)/(.+)", path)
        tree = re.fullmatch(rf"/api/datasets/{self.repository}/tree/{SHA}/?(.*)", path)
        if resolve and resolve[2] in self.files:
            self.send(request, 200, self.files[resolve[2]], cut=self.fault == "cut")
        elif resolve:
            self.send(request, 404, b"", {"X-Error-Code": "EntryNotFound"})
        elif tree:
            self.send(request, 200, json.dumps(self.listing(tree[1])).encode())
        elif re.fullmatch(rf"/api/datasets/{self.repository}(/revision/.+)?", path):
            siblings = [{"rfilename": name} for name in self.files]
            info = {"id": self.repository, "sha": SHA, "siblings": siblings, "tags": []}
            self.send(request, 200, json.dumps(info | {"downloads": 0, "private": False}).encode())
        else:
            self.send(request, 404, b"{}", {"X-Error-Code": "RepoNotFound"})

    def listing(self, folder: str) -> list[dict[str, object]]:
        below = [name for name in self.files if name.startswith(f"{folder}/" if folder else "")]
        entries: dict[str, dict[str, object]] = {}
        for name in below:
            rest = name[len(folder) + 1 if folder else 0 :]
            path = f"{folder}/{rest.split('/')[0]}".lstrip("/")
            kind = "directory" if "/" in rest else "file"
            entries[path] = {
                "type": kind,
                "path": path,
                "size": 0 if kind == "directory" else len(self.files[name]),
                "oid": hashlib.sha1(path.encode()).hexdigest(),
            }
        return list(entries.values())

    @staticmethod
    def send(
        request: BaseHTTPRequestHandler,
        status: int,
        body: bytes,
        headers: dict | None = None,
        cut: bool = False,
    ) -> None:
        request.send_response(status)
        request.send_header("X-Repo-Commit", SHA)
        request.send_header("ETag", f'"{hashlib.sha256(body).hexdigest()}"')
        request.send_header("Content-Length", str(len(body)))
        for name, value in (headers or {}).items():
            request.send_header(name, value)
        request.end_headers()
        if request.command != "HEAD":
            request.wfile.write(body[: len(body) // 2] if cut else body)
