def fail():
    raise ValueError('in the worker')
