from . import estimates as estimates, plan as plan, progress as progress, push as push
from .fetch import fetch_and_merge as fetch_and_merge
from .merge_sweep import merge_sweep as merge_sweep
from .plan import Plan as Plan
from .progress import MemberProgress as MemberProgress, SweepProgress as SweepProgress, sweep_progress as sweep_progress
from .push import SweepOptions as SweepOptions, check_at_once as check_at_once
from .quota import quota_for as quota_for
