from . import (
    competitions as competitions,
    files as files,
    leaderboard as leaderboard,
    locks as locks,
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
from .competitions import Rules as Rules
from .files import (
    remove_tree as remove_tree,
    replacing as replacing,
    unfinished_folder as unfinished_folder,
)
from .leaderboard import Team as Team
from .outputs import Output as Output
from .paths import (
    VersionPaths as VersionPaths,
    kernel_folder as kernel_folder,
    version_numbers as version_numbers,
    version_paths as version_paths,
)
from .progress import SessionProgress as SessionProgress, State as State
from .reference import Reference as Reference, check_name as check_name
from .reruns import Failure as Failure, RerunEnd as RerunEnd, RerunPaths as RerunPaths
from .sources import mount_path as mount_path
from .submissions import Entry as Entry, NewSubmission as NewSubmission, Result as Result
from .usage import Usage as Usage
from .version import (
    Kernel as Kernel,
    NewVersion as NewVersion,
    Version as Version,
    read_version as read_version,
    write_version as write_version,
)
