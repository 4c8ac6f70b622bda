import json

from . import shutil

print(json.VALUE, shutil.VALUE)
