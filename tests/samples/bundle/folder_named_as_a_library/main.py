import json
import logging

print(json.dumps([1]), logging.INFO)
