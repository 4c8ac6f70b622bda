from . import local as local
from .abilities import (
    KAGGLE as KAGGLE,
    LOCAL as LOCAL,
    Abilities as Abilities,
    abilities_of as abilities_of,
    known_abilities as known_abilities,
    lacking as lacking,
    recorded_abilities as recorded_abilities,
    said_kind as said_kind,
)
from .cluster import attached_remedy as attached_remedy
from .competitions import (
    Competition as Competition,
    Competitions as Competitions,
    Standing as Standing,
    SubmissionState as SubmissionState,
)
from .credentials import credential_files as credential_files, find_credentials as find_credentials
from .datasets import (
    Dataset as Dataset,
    Datasets as Datasets,
    DatasetState as DatasetState,
    UploadPlace as UploadPlace,
)
from .kernel_ref import KernelRef as KernelRef
from .open import (
    cluster_findings as cluster_findings,
    is_answering as is_answering,
    kaggle_endpoint as kaggle_endpoint,
    open_target as open_target,
    place_of as place_of,
)
from .protocol import (
    AcceleratorQuota as AcceleratorQuota,
    AnswersMany as AnswersMany,
    Download as Download,
    KernelPush as KernelPush,
    LogRecord as LogRecord,
    OutputFile as OutputFile,
    Pushed as Pushed,
    PushesMany as PushesMany,
    Quota as Quota,
    SessionState as SessionState,
    Target as Target,
)
from .quota import current_quota as current_quota
from .reachability import reach as reach
from .run_state import RunState as RunState
from .wire import Reply as Reply, Wire as Wire, wire_of as wire_of
