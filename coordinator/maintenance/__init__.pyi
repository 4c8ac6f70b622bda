from .ask_targets import AskedTarget as AskedTarget, ask_targets as ask_targets
from .doctor import diagnose as diagnose
from .image_refresh import log_of as log_of, refresh_image as refresh_image
from .ledger import Problem as Problem, check_ledger as check_ledger
from .live_check.check import ReadSources as ReadSources
from .live_check.live_check import (
    Talk as Talk,
    delete_left as delete_left,
    live_check as live_check,
)
