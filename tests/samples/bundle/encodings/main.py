import inspect

import bom
import cookie
import crlf
import mixed
import latin
import old_mac
import sjis

for module in (bom, cookie, crlf, mixed, latin, old_mac, sjis):
    print(module.__name__, ascii(module.VALUE), ascii(inspect.getsource(module.f)), module.f.__code__.co_firstlineno)
