# vim: set fileencoding=latin-1 :
VALUE = 'ä'


def f():
    return 'ö'
