import importlib

for name in ('one', 'two'):
    module = importlib.import_module(f'{__package__}.models.{name}')
    print(module.__name__, importlib.import_module('.' + name, 'pack.models') is module, __import__('pack.models').models.__name__)
print(importlib.util.find_spec('pack.models.three'), importlib.util.find_spec('pack.models.one').name)
print(importlib.reload(module) is module)
