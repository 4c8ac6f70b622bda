import os
import runpy
import sys

print(sorted(key for key in runpy.run_module('pack.other', run_name='__main__', alter_sys=True) if not key.startswith('__')))
print(runpy.run_path(os.path.join(os.path.dirname(__file__), 'beside.py'))['VALUE'])
print(runpy.run_module('pack')['__name__'], sys.modules['__main__'].__dict__ is globals())
exec(compile('print(__name__, 1 + 1)', 'made.py', 'exec'))
