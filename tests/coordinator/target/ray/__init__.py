"""The target of kind ray, without an engine."""
