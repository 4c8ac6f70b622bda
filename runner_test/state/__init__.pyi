from . import (
    competitions as competitions,
    datasets as datasets,
    files as files,
    leaderboard as leaderboard,
    locks as locks,
    models as models,
    outputs as outputs,
    progress as progress,
    reruns as reruns,
    rules as rules,
    slots as slots,
    sources as sources,
    submissions as submissions,
    tree as tree,
    uploads as uploads,
    usage as usage,
)
from .assembling import NewFile as NewFile
from .competitions import Rules as Rules
from .counter import next_id as next_id
from .datasets import (
    Dataset as Dataset,
    DatasetVersion as DatasetVersion,
    NewDatasetVersion as NewDatasetVersion,
)
from .detached import start_detached as start_detached
from .files import (
    remove_tree as remove_tree,
    replacing as replacing,
    unfinished_folder as unfinished_folder,
)
from .leaderboard import Team as Team
from .models import ModelSource as ModelSource
from .outputs import Output as Output
from .paths import (
    VersionPaths as VersionPaths,
    kernel_folder as kernel_folder,
    version_numbers as version_numbers,
    version_paths as version_paths,
)
from .progress import SessionProgress as SessionProgress, State as State
from .reference import (
    DatasetSource as DatasetSource,
    Reference as Reference,
    check_name as check_name,
    file_name_problem as file_name_problem,
)
from .reruns import Failure as Failure, RerunEnd as RerunEnd, RerunPaths as RerunPaths
from .sources import mount_path as mount_path
from .submissions import Entry as Entry, NewSubmission as NewSubmission, Result as Result
from .uploads import Receiver as Receiver, Upload as Upload
from .usage import Usage as Usage
from .version import (
    Kernel as Kernel,
    NewVersion as NewVersion,
    Version as Version,
    read_version as read_version,
    write_version as write_version,
)
