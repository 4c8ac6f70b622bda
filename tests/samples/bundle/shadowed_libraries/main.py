import base64
import hashlib
import json
import pathlib
import shutil
import colorsys
import stat
import os

print(json.VALUE, hashlib.VALUE, shutil.VALUE, base64.VALUE, hasattr(pathlib, 'Path'), colorsys.VALUE)
print(hasattr(os, 'getpid'), hasattr(stat, 'S_ISDIR'))
from json import decoder

print(decoder.VALUE)
