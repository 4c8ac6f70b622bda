from . import cancel as cancel, continuation as continuation, fetch as fetch, hide as hide, promote as promote
from .arrival import adopt as adopt, arrived as arrived
from .cancel import Deletion as Deletion
from .chain import push_chain as push_chain
from .chain_plan import Step as Step, chain_of_needs as chain_of_needs, plan_chain as plan_chain
from .dry_overrides import override_problems as override_problems
from .dry_run import dry_run_kernel as dry_run_kernel
from .entries import StatusLine as StatusLine, newest_entries as newest_entries
from .fetch import (
    Fetched as Fetched,
    FetchResult as FetchResult,
    output_file as output_file,
    provenance as provenance,
)
from .follow import follow_run as follow_run, wait_for_end as wait_for_end
from .isolation import warn_if_here as warn_if_here
from .missing_source import source_remedy as source_remedy
from .needs import ready_needs as ready_needs
from .push import push_kernel as push_kernel
from .push_array import push_array as push_array
from .push_several import push_several as push_several
from .refresh import (
    Look as Look,
    current_log as current_log,
    refresh_run as refresh_run,
)
from .same_work import (
    outdated_now as outdated_now,
    run_of_same_work as run_of_same_work,
    work_now as work_now,
)
from .status import (
    OpenTargets as OpenTargets,
    Status as Status,
    current_status as current_status,
    open_targets as open_targets,
    pause_between_looks as pause_between_looks,
    watch as watch,
)
