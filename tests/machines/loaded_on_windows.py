"""Becomes Windows, and loads the modules of coord that can be loaded there, for a process that forks commands."""

from __future__ import annotations

import importlib
import pkgutil
import sys

import coordinator
from tests.machines.windows import become

become()
del sys.modules["tests.machines.windows"]  # or runpy warns of it
for _module in pkgutil.walk_packages(coordinator.__path__, "coordinator."):
    if not _module.name.endswith(".__main__"):
        try:
            importlib.import_module(_module.name)
        except ImportError:
            pass  # it is of another system: a command that needs it fails
