"""Makes torchvision's residual networks narrow, in each Python process that has this folder on its PYTHONPATH.

An eighth of the channels is a sixtieth of the weights: tests would otherwise spend most of their time with
initializing, saving, hashing and comparing them. Each of the four layers has one block, because in so narrow a network
the number of its parts costs, not their size. What is left keeps its name.
"""

import importlib.abc
import importlib.machinery
import importlib.util
import runpy
import sys
import types
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

MODULE = "torchvision.models.resnet"


def narrow(make_layer: Callable[..., Any], *, most: int = 1) -> Callable[..., Any]:
    """ResNet._make_layer for an eighth of the channels, and at most so many blocks."""

    def make(self: Any, block: Any, planes: int, blocks: int, *arguments: Any, **named: Any) -> Any:
        return make_layer(self, block, planes // 8, min(blocks, most), *arguments, **named)

    return make


class _Finder(importlib.abc.MetaPathFinder):
    """Finds the module as usual, and changes it after it is loaded."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if name != MODULE:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        assert spec is not None
        loader: Any = spec.loader
        load = loader.exec_module

        def load_narrow(module: Any) -> None:
            load(module)
            module.ResNet._make_layer = narrow(module.ResNet._make_layer)

        loader.exec_module = load_narrow
        return spec


if MODULE not in sys.modules:  # else this is the tests' own process, in which not all is narrow
    sys.meta_path.insert(0, _Finder())
if __name__ == "sitecustomize":  # Python imports one module of this name: this one in place of the guard
    runpy.run_path(str(Path(__file__).parents[2] / "guard" / "sitecustomize.py"))
