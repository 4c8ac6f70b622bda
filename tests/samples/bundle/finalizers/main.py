import weakref


class Thing:
    def __init__(self, name):
        self.name = name

    def __del__(self):
        print('del', self.name, __name__)


global_thing = Thing('global')
weakref.finalize(global_thing, print, 'finalized')
Thing('at once')
