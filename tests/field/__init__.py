"""Inputs that were tried on coord because tools like it have failed on them: one module for each kind of fault.

The docstring of a module names the kind in its first line and says, after `Seen:`, where it was seen (a public bug
report of another tool, or how it was found here). The module holds a table of siblings: the input that was reported
and the others of its kind. `docs/reliability.md` lists the kinds and counts the cases.
"""
