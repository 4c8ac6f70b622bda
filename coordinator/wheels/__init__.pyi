from .lock import Lock as Lock, current_lock as current_lock
from .prepare import Prepared as Prepared, prepare_wheels as prepare_wheels
