"""The verb ledger check: finds problems of the ledger, and rebuilds what it lacks from results/ and the targets.

Each `of_*` module compares the ledger with one source and yields problems; a problem that can be repaired has a
function that repairs it.
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
