"""A real browser for the tests of the page: headless Chromium, driven by Playwright."""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

# No profile, no sandbox (a container has none), and nothing that the browser asks for by itself.
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
NAMES = ("chromium", "chromium-browser", "google-chrome")


def executable() -> str:
    """The browser's path; skips where it or its driver is missing.

    With "browser" in $ATTN_NLP_REQUIRE, absence is a failure.
    """
    path = next(filter(None, map(shutil.which, NAMES)), None)
    missing = [] if path else ["no chromium on the PATH"]
    missing += [
        f"{package} is not installed"
        for package in ("playwright", "axe_playwright_python")
        if importlib.util.find_spec(package) is None
    ]
    if not missing:
        assert path is not None
        return path
    reason = "; ".join(missing)
    if "browser" in os.environ.get("ATTN_NLP_REQUIRE", ""):
        pytest.fail(reason)
    pytest.skip(reason)


@contextmanager
def launched() -> Iterator:
    """The browser, closed at the end."""
    path = executable()
    from playwright.sync_api import sync_playwright  # pyright: ignore[reportMissingImports]

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()


class Opened:
    """A page opened from a file, with everything that went wrong or left the file."""

    def __init__(self, browser, file: Path, **options) -> None:
        self.context = browser.new_context(**options)
        self.page = self.context.new_page()
        self.faults: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda said: self.faults.append(f"{said.type}: {said.text}"))
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(file.as_uri())

    def check(self, file: Path) -> None:
        """Nothing was said on the console, nothing thrown, nothing asked for but the file."""
        assert self.faults == []
        assert self.requests == [file.as_uri()]
