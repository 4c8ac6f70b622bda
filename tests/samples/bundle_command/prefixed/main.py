import importlib

name = "a"
print(importlib.import_module(f"plugins.{name}").NAME, importlib.import_module("plugins." + name).NAME)
print(importlib.import_module("plugins.%s" % name).NAME, importlib.import_module("plugins.{}".format(name)).NAME)
