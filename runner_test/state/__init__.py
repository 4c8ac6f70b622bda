"""The records that the local Kaggle keeps on disk: kernels, versions, sources, outputs, competitions, submissions.

Each module reads and writes one kind of record below the store's root; `runner_test.store` puts them together. Nothing
here starts a kernel's session or speaks HTTP. Modules are loaded when one of their names is used: a session's process
needs few of them.
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
