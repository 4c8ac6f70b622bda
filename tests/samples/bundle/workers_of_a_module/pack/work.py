import multiprocessing


def double(x):
    return 2 * x if x is not None else None + 1


def where():
    return __name__, multiprocessing.current_process().daemon
