import importlib
import sys

sys.path.append("configs")
sys.path.insert(0, "nets")

config = importlib.import_module(sys.argv[1])
print(config.LR, importlib.import_module(config.NET).Net().width)
