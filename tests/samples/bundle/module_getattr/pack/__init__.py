import importlib


def __getattr__(name):
    if name == 'missing':
        raise AttributeError(name)
    if name == 'leaf':
        return importlib.import_module('.leaf', __name__)
    return name.upper()


def __dir__():
    return ['computed', 'leaf']
