"""How fast the model source is, against the obvious ways to do the same, measured side by side."""
