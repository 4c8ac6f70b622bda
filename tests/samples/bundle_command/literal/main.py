import importlib
from importlib import import_module as load

print(importlib.import_module("one").NAME, __import__("two").NAME, load("three.four").NAME)
