"""coord: makes one Kaggle kernel of a Python package and a named experiment, runs it, brings its numbers back."""

__version__ = "0.1.0"
