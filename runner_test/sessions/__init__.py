"""Sessions: one script or notebook, run the way Kaggle runs it, in processes that outlive whoever pushed it.

Lays out what stands for `/kaggle`, isolates the processes, watches their limits, writes the log. Scoring a submission
is a process of its own here, too. Modules are loaded when one of their names is used, so a session starts quickly.
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
