import importlib

for number in (1, 2):
    print(importlib.import_module(f"step_{number}").NAME)
folder = "plugins"
print(importlib.import_module(f"{folder}.a").NAME)
