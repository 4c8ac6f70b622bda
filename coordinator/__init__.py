"""coord: makes one Kaggle kernel of a Python package and a named experiment, runs it, and fetches its results."""

__version__ = "0.1.0"
