import json
import types

from . import json as own, typing

print(json.dumps({}), own.VALUE, typing.VALUE, types.ModuleType.__name__)
