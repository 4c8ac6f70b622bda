import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), 'vendored'))
import library
import importlib.util

spec = importlib.util.spec_from_file_location('plugin', os.path.join(os.path.dirname(__file__), 'plugins', 'one.py'))
plugin = importlib.util.module_from_spec(spec)
spec.loader.exec_module(plugin)
print(library.NAME, plugin.NAME)
