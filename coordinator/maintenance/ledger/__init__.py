"""The verb ledger check: what is wrong with the ledger, and what can be rebuilt of it from results/ and the targets.

Each `of_*` module looks at the ledger from one side and yields problems; a problem that can be repaired has a function
that repairs it.
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
