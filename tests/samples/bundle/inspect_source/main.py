import inspect
import os

from pack import leaf


def here(x):
    return x  # a comment


print(inspect.getsource(here), inspect.getsource(leaf.there), inspect.getsource(leaf), inspect.getsource(leaf.Thing))
print(inspect.getsourcelines(leaf.there)[1], os.path.basename(inspect.getsourcefile(here)), inspect.getmodule(here).__name__)
print(inspect.getcomments(leaf.there), inspect.getdoc(leaf), inspect.signature(leaf.there))
