"""The files of a benchmark: NAME.json and NAME.md, with the machine that gave the figures.

Both are rewritten after every measurement, so that what is done is kept whatever happens next;
`complete` says whether everything was measured. No name of a machine, a person or a folder is
written.
"""

from __future__ import annotations

import json
import math
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

import click

from attn_nlp.runner.cores import allowed_cores

ROOT = Path(__file__).parents[1]
LIBRARIES = ("jax", "jaxlib", "flax", "numpy", "torch", "transformers", "accelerate", "tokenizers")
_CODE = ("--", "attn_nlp", "benchmarks", ":!benchmarks/measured")


class Report:
    """The report of one benchmark that has just begun.

    Args:
      name: of its files.
      settings: what was asked for, as plain values.
      out: the folder for its files; None writes none.
    """

    def __init__(self, name: str, settings: dict, out: Path | None):
        self.name, self.settings, self.out = name, settings, out
        self.machine, self.began = machine(), time.monotonic()

    def write(self, result: object, page: str, complete: bool = False) -> None:
        """Keep what has been measured so far."""
        if self.out is None:
            return
        report = {
            "benchmark": self.name,
            "complete": complete,
            "seconds": time.monotonic() - self.began,
            "settings": self.settings,
            "machine": self.machine,
            "result": result,
        }
        self.out.mkdir(parents=True, exist_ok=True)
        _replace(self.out / f"{self.name}.json", json.dumps(plain(report), indent=1))
        _replace(self.out / f"{self.name}.md", f"{page}\n\n{told(self.machine)}")

    def end(self, result: object, page: str, complete: bool = True) -> None:
        """Keep everything, and print the page."""
        self.write(result, page, complete)
        click.echo(f"{page}\n\n{told(self.machine)}")


def machine() -> dict:
    """Return what figures depend on besides the code: processor, cores, versions, and the day."""
    found: dict = {
        "date": datetime.now(UTC).date().isoformat(),
        "revision": revision(),
        "processor": processor(),
        "cores": len(allowed_cores()),
        "memory_gibibytes": memory(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "load_before": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
    }
    for name in LIBRARIES:
        with suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found


def told(machine: dict) -> str:
    """Describe the machine in one sentence."""
    versions = ", ".join(f"{name} {machine[name]}" for name in LIBRARIES if name in machine)
    load, gibibytes = machine["load_before"], machine["memory_gibibytes"]
    room = "" if gibibytes is None else f"{gibibytes:.0f} GiB, "
    before = "" if load is None else f" Load average before: {load:.1f}."
    return (
        f"{machine['date']}, code {machine['revision']}, on {machine['cores']} cores of "
        f"{machine['processor']}, {room}{machine['system']}, "
        f"Python {machine['python']}, {versions}.{before}"
    )


def revision() -> str:
    """Return the last commit of the timed code, with "+ changes" if some are uncommitted."""
    with suppress(OSError, subprocess.CalledProcessError):
        last = _git("log", "-1", "--format=%h", *_CODE)
        return last + (" + changes" if _git("status", "--porcelain", *_CODE) else "")
    return "unknown"


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def processor() -> str:
    """Return the name of the processor as the system gives it."""
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def memory() -> float | None:
    """Return the memory of the machine in GiB, or None if the system does not tell."""
    with suppress(ValueError, OSError, AttributeError):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return None


def spread(values: Iterable[float]) -> list[float]:
    """Return least, median and largest."""
    found = list(values)
    return [min(found), statistics.median(found), max(found)]


def shown(three: Sequence[float], form: str = ".2f") -> str:
    """Write a median with its least and largest: "2.00 (1.90–2.20)"."""
    least, middle, most = three
    return f"{middle:{form}} ({least:{form}}–{most:{form}})"


def plain(value: object) -> object:
    """Return a value for JSON: floats to five digits, NaN as null."""
    if isinstance(value, dict):
        return {str(name): plain(entry) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return [plain(entry) for entry in value]
    if isinstance(value, float):
        return float(f"{value:.5g}") if math.isfinite(value) else None
    return value


def read(folder: Path, name: str) -> dict | None:
    """Return a report, or None if there is none."""
    try:
        return json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None


def fail(reason: str) -> None:
    """End the process with a line on standard error and status 1."""
    click.echo(reason, err=True)
    sys.exit(1)


def _replace(path: Path, text: str) -> None:
    new = path.with_name(path.name + ".new")
    new.write_text(text + "\n", encoding="utf-8")
    new.replace(path)
