"""Exports finished runs to the tools that people use already: MLflow, TensorBoard, Weights & Biases.

`record.py` reads a run from the ledger and its results into one plain value; each `to_*.py` writes that value into one
kind of store, and imports that store's library only when it is used.
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
