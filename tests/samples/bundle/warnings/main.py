import warnings

from pack import leaf

leaf.warn()
leaf.warn_caller()
warnings.warn('here')
warnings.warn('deprecated', DeprecationWarning)
warnings.warn_explicit('explicit', UserWarning, 'x.py', 3)
print(sorted(key[0] for key in __warningregistry__ if key != 'version'))
