from types import SimpleNamespace

basic_cfg = SimpleNamespace(model="net", width=4, lr=0.3)
