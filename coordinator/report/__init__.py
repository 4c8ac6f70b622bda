"""The report: one self-contained HTML page about runs. `material` gathers, `charts` draws, `page` renders."""
