"""Prints what the Python that runs it has, as one line for `coord image refresh`: push it as a kernel of its own.

Standard library only. `coord image probe` writes this file out.
"""

import json
import pkgutil
import sys
import time
from importlib.metadata import distributions, packages_distributions
from typing import Any

PREFIX = "COORD-IMAGE "


def installed() -> dict[str, Any]:
    """Date, Python, distributions with their versions, and top-level modules with their distribution (or None)."""
    packages = {found.metadata["Name"]: found.version for found in distributions() if found.metadata["Name"]}
    modules: dict[str, str | None] = {
        name: sorted(of)[0] for name, of in packages_distributions().items() if name.isidentifier()
    }
    # Modules that belong to no distribution can be imported, too; those beside this script do not count.
    for found in pkgutil.iter_modules(sys.path[1:]):
        if found.name not in sys.stdlib_module_names:
            modules.setdefault(found.name, None)
    return {
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "python": ".".join(map(str, sys.version_info[:3])),
        "packages": packages,
        "modules": modules,
    }


if __name__ == "__main__":
    print(PREFIX + json.dumps(installed()), flush=True)
