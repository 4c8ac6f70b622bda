"""Maintenance: the doctor, the table of the image's packages, the check and repair of the ledger."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
