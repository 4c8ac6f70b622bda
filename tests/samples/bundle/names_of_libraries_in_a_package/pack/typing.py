from typing import Any

VALUE = Any is not None
