"""Installed packages that bring parts and datasets: modules named by their entry points.

A package lists in its own metadata, under the group `attn_nlp.parts`, the modules that register
parts or datasets; they are imported when the catalogue is first used. In pyproject.toml:

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
        """The package's share, besides its code, in the identity of a result."""
        return f"{self.package} {self.version}"


@functools.cache  # called for every name that is looked up
def load_plugins() -> None:
    """Import every module that an installed package names.

    Raises:
      UserError: one of them cannot be imported, or has a registry line that is rejected; the
        message names the package.
    """
    for plugin in plugins():
        try:
            importlib.import_module(plugin.module)
        except (Exception, SystemExit) as error:
            reason = " ".join(str(error).split()) or "no reason is given"
            raise UserError(
                f"package {plugin.identity} cannot register its parts: importing {plugin.module} "
                f"raised {type(error).__name__}: {reason.rstrip('.')}. Repair or uninstall it."
            ) from error


@functools.cache
def plugins() -> tuple[Plugin, ...]:
    """Return the modules that installed packages name; import none of them."""
    if not any(_mentions(folder) for folder in sys.path):
        return ()
    from importlib import metadata  # slow to import, and seldom needed

    named = {
        Plugin(entry.dist.name, entry.dist.version, entry.module)
        for entry in metadata.entry_points(group=GROUP)
        if entry.dist is not None
    }
    return tuple(sorted(named, key=lambda plugin: (plugin.package, plugin.module)))


def plugin_of(modules: Iterable[str]) -> Plugin | None:
    """Return the installed package that one of these modules belongs to, or None."""
    tops = {name.partition(".")[0] for name in modules}
    return next((known for known in plugins() if known.module.partition(".")[0] in tops), None)


def _mentions(folder: str) -> bool:
    """Return whether any package installed into a folder names the group."""
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
