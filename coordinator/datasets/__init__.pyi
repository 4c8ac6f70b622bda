from .contents import check_folder as check_folder
from .fetch import fetch_dataset as fetch_dataset
from .overview import (
    DatasetStatus as DatasetStatus,
    all_datasets as all_datasets,
    dataset_status as dataset_status,
)
from .push import push_folder as push_folder
from .ready import (
    refresh_attached as refresh_attached,
    unknown_version as unknown_version,
    wait_for_attached as wait_for_attached,
)
