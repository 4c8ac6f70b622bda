"""Files between here and a target: in parallel, resumed where they broke off, with their progress.

It fetches what a run left and what a data set holds, and sends a data set's files.
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
