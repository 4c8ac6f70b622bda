import warnings


def warn():
    warnings.warn('from the leaf')


def warn_caller():
    warnings.warn('from its caller', stacklevel=2)
