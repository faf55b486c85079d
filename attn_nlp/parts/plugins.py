"""Installed packages that bring parts and datasets: modules named by their entry points.

A package says in its own metadata, under the group `attn_nlp.parts`, which modules register parts
or datasets; they are imported when the catalogue is first asked. In pyproject.toml:

    [project.entry-points."attn_nlp.parts"]
    gating = "my_package.gating"

Results of such a part are identified by the name and version of the package and by its code.
"""

from __future__ import annotations

import functools
import importlib
import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from attn_nlp.errors import UserError

GROUP = "attn_nlp.parts"
_FILES = (".dist-info", ".egg-info")


@dataclass(frozen=True)
class Plugin:
    """A module that an installed package wants imported.

    Attributes:
      package: the name of the distribution.
      version: its version.
      module: what to import.
    """

    package: str
    version: str
    module: str

    @property
    def identity(self) -> str:
        """What of the package, beside its code, is part of the identity of a result."""
        return f"{self.package} {self.version}"


@functools.cache  # every name that is looked up asks for it
def load_plugins() -> None:
    """Import every module that an installed package names.

    Raises:
      UserError: one of them cannot be imported, or registers what cannot be; names the package.
    """
    for each in plugins():
        try:
            importlib.import_module(each.module)
        except Exception as error:
            told = " ".join(str(error).split()) or "no reason is given"
            raise UserError(
                f"package {each.identity} cannot register its parts: importing {each.module} "
                f"raised {type(error).__name__}: {told.rstrip('.')}. Repair or uninstall it."
            ) from error


@functools.cache
def plugins() -> tuple[Plugin, ...]:
    """What installed packages name; imports none of it."""
    if not any(_mentions(folder) for folder in sys.path):
        return ()
    from importlib import metadata  # slow to import, and seldom needed

    found = {
        Plugin(each.dist.name, each.dist.version, each.module): None
        for each in metadata.entry_points(group=GROUP)
        if each.dist is not None
    }
    return tuple(sorted(found, key=lambda each: (each.package, each.module)))


def plugin_of(modules: Iterable[str]) -> Plugin | None:
    """The installed package that one of these modules belongs to, None for code of the user's."""
    tops = {name.partition(".")[0] for name in modules}
    return next((each for each in plugins() if each.module.partition(".")[0] in tops), None)


def _mentions(folder: str) -> bool:
    """Whether any package installed into a folder names the group."""
    return any(GROUP.encode() in text for text in _entry_points(folder or os.curdir))


def _entry_points(folder: str) -> Iterator[bytes]:
    try:
        names = os.listdir(folder)
    except OSError:  # an archive, or not there
        return
    for name in names:
        if name.endswith(_FILES):
            try:
                with open(os.path.join(folder, name, "entry_points.txt"), "rb") as file:
                    yield file.read()
            except OSError:
                continue
