"""The report: one self-contained HTML page about runs.

`choice` says which runs, `boards` ranks and judges them, `material` gathers, `charts` draws, `page` renders.
"""
