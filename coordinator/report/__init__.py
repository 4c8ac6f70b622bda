"""The report: one self-contained HTML page about runs.

`choice` selects the runs, `boards` ranks and judges them, `material` reads their results, `charts` draws, and `page`
renders.
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
