import atexit
import threading
import time

STATE = ['at the start']


def late():
    time.sleep(0.1)
    from . import leaf

    print('late', STATE, leaf.VALUE, flush=True)


def last():
    import pickle

    from .exits import VALUE

    print('last', STATE, VALUE, type(pickle.loads(pickle.dumps(Thing()))).__name__, flush=True)


class Thing:
    pass


atexit.register(last)
atexit.register(print, 'registered last, runs first')
threading.Thread(target=late).start()
STATE.append('main is over')
