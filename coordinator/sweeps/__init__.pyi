from . import estimates as estimates, plan as plan, progress as progress, push as push
from .fetch import fetch_and_merge as fetch_and_merge
from .merge_sweep import merge_sweep as merge_sweep
from .plan import Plan as Plan
from .progress import Progress as Progress, Standing as Standing, standing as standing
from .quota import quota_for as quota_for
