import sys

try:
    import not_there_at_all
except ImportError as error:
    import instead as not_there_at_all

    print(error)


def late():
    from pack.late import VALUE

    return VALUE


if sys.argv[1:] == []:
    import conditional
print('pack.late' in sys.modules, late(), 'pack.late' in sys.modules, not_there_at_all.__name__, conditional.__name__)
