from . import export as export, listing as listing, remarks as remarks, submissions as submissions, sweeps as sweeps
from .arrival import (
    NEVER_ARRIVED as NEVER_ARRIVED,
    Unanswered as Unanswered,
    is_ahead as is_ahead,
    may_still_arrive as may_still_arrive,
)
from .chains import all_chains as all_chains, chain_of as chain_of
from .datasets import (
    DatasetVersion as DatasetVersion,
    add_dataset_version as add_dataset_version,
    dataset_stamp as dataset_stamp,
    dataset_versions as dataset_versions,
    give_up_dataset_version as give_up_dataset_version,
    new_dataset_version_id as new_dataset_version_id,
    stamped_dataset as stamped_dataset,
    update_dataset_version as update_dataset_version,
)
from .export import as_csv as as_csv
from .ledger import Ledger as Ledger, Run as Run, new_run_id as new_run_id, now as now
from .machine import claim as claim, other_writer as other_writer
from .old_messages import fields_of as fields_of
from .remarks import Kind as Kind, Remark as Remark, remarks_of as remarks_of, texts as texts
from .run_name import (
    RECORDED as RECORDED,
    RunName as RunName,
    at_address as at_address,
    find_named as find_named,
    joined as joined,
    meant as meant,
    parse_run_name as parse_run_name,
    recorded_only as recorded_only,
)
from .salvage import (
    blank as blank,
    damage as damage,
    other_copies as other_copies,
    salvage_ledger as salvage_ledger,
    take_over as take_over,
)
from .selection import RunSelection as RunSelection
from .sources import (
    Outdated as Outdated,
    attached_runs as attached_runs,
    outdated as outdated,
    outdated_in as outdated_in,
    runs_read as runs_read,
    sources_now as sources_now,
)
from .submissions import Submission as Submission, all_submissions as all_submissions
from .sweeps import (
    Member as Member,
    Sweep as Sweep,
    all_sweeps as all_sweeps,
    find_experiment as find_experiment,
    find_sweep as find_sweep,
    from_json as from_json,
    run_of as run_of,
    sweeps_of as sweeps_of,
    swept as swept,
)
from .times import Times as Times, run_times as run_times
from .work import at_work as at_work, done_before as done_before, stopped_early as stopped_early, work_of as work_of
