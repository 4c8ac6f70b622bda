"""ListDatasets: which data sets a caller sees, with the filters of `kaggle datasets list`."""

from collections.abc import Callable, Mapping
from pathlib import Path

from kagglesdk.datasets.types.dataset_api_service import ApiListDatasetsRequest, ApiListDatasetsResponse
from kagglesdk.datasets.types.dataset_enums import (
    DatasetFileTypeGroup,
    DatasetLicenseGroup,
    DatasetSelectionGroup,
    DatasetSortBy,
)

from runner_test.http import access
from runner_test.http.dataset_reading import MAX_PAGE, describe
from runner_test.http.rpc import Answer, Caller, new
from runner_test.state import Dataset, datasets, tree

_MINE, _PRIVATE, _PUBLIC = (
    DatasetSelectionGroup.DATASET_SELECTION_GROUP_MY,
    DatasetSelectionGroup.DATASET_SELECTION_GROUP_MY_PRIVATE,
    DatasetSelectionGroup.DATASET_SELECTION_GROUP_MY_PUBLIC,
)
_EVERYONES = (
    DatasetSelectionGroup.DATASET_SELECTION_GROUP_PUBLIC,
    DatasetSelectionGroup.DATASET_SELECTION_GROUP_USER,
    DatasetSelectionGroup.DATASET_SELECTION_GROUP_ALL,
)
_SUFFIXES: Mapping[DatasetFileTypeGroup, tuple[str, ...]] = {
    DatasetFileTypeGroup.DATASET_FILE_TYPE_GROUP_CSV: (".csv",),
    DatasetFileTypeGroup.DATASET_FILE_TYPE_GROUP_SQLITE: (".sqlite", ".sqlite3", ".db"),
    DatasetFileTypeGroup.DATASET_FILE_TYPE_GROUP_JSON: (".json", ".jsonl"),
    DatasetFileTypeGroup.DATASET_FILE_TYPE_GROUP_BIG_QUERY: (),  # no such tables here
    DatasetFileTypeGroup.DATASET_FILE_TYPE_GROUP_PARQUET: (".parquet",),
}
# How the names of a group's licences begin, in lower case; the group "other" has all that are in none of these.
_LICENSES: Mapping[DatasetLicenseGroup, tuple[str, ...]] = {
    DatasetLicenseGroup.DATASET_LICENSE_GROUP_CC: ("cc",),
    DatasetLicenseGroup.DATASET_LICENSE_GROUP_GPL: ("gpl", "agpl", "lgpl"),
    DatasetLicenseGroup.DATASET_LICENSE_GROUP_ODB: ("odbl", "dbcl", "odc"),
}


def list_datasets(caller: Caller, request: ApiListDatasetsRequest) -> Answer:
    """One page of the data sets that the caller may see, the latest version first; the filters are combined."""
    rows = [_Row(caller, dataset) for dataset in datasets.datasets(caller.store.root)]
    rows = [row for row in rows if row.is_in(request) and row.fits(request)]
    rows.sort(key=_KEYS.get(request.sort_by, _updated), reverse=True)
    size = access.page_size(request.page_size, MAX_PAGE)
    start = access.offset(request.page_token) if request.page_token else (max(request.page, 1) - 1) * size
    return new(
        ApiListDatasetsResponse,
        datasets=[describe(caller, row.dataset) for row in rows[start : start + size]],
        next_page_token=access.next_token(start + size, len(rows)),
    )


class _Row:
    """A data set in the list, with what the filters look at."""

    def __init__(self, caller: Caller, dataset: Dataset) -> None:
        self.dataset = dataset
        self._caller = caller
        versions = datasets.versions(caller.store.root, dataset.reference)
        self.updated = versions[-1].created if versions else dataset.created
        current = next((each for each in reversed(versions) if each.is_ready), None)
        folder = current.files_folder if current else None
        self._files = tree.readable_files(folder) if folder is not None else []

    def is_in(self, request: ApiListDatasetsRequest) -> bool:
        """Whether the caller may see it, and it is in the group."""
        dataset, is_mine = self.dataset, self.dataset.owner == self._caller.user
        if request.group in (_MINE, _PRIVATE, _PUBLIC):
            return is_mine and (request.group is _MINE or dataset.is_private == (request.group is _PRIVATE))
        # Else there are no votes, bookmarks, organizations or collaborators here.
        if request.group not in _EVERYONES or (request.user and dataset.owner != request.user.lower()):
            return False
        return not dataset.is_private or (is_mine and bool(request.user))

    def fits(self, request: ApiListDatasetsRequest) -> bool:
        """Whether it passes the filters."""
        dataset = self.dataset
        size = sum(status.st_size for _, status in self._files)
        text = "\n".join([str(dataset.reference), dataset.title, dataset.subtitle, dataset.description]).lower()
        tags = {tag for tag in request.tag_ids.lower().split(",") if tag}
        return (
            request.search.lower() in text
            and tags <= {keyword.lower() for keyword in dataset.keywords}
            and size >= request.min_size
            and (not request.max_size or size <= request.max_size)
            and self._has_type(request.file_type)
            and self._has_license(request.license)
        )

    def _has_type(self, group: DatasetFileTypeGroup) -> bool:
        suffixes = _SUFFIXES.get(group)
        return suffixes is None or any(Path(name).suffix.lower() in suffixes for name, _ in self._files)

    def _has_license(self, group: DatasetLicenseGroup) -> bool:
        name = self.dataset.license.lower()
        if group is DatasetLicenseGroup.DATASET_LICENSE_GROUP_OTHER:
            return not name.startswith(tuple(start for starts in _LICENSES.values() for start in starts))
        return name.startswith(_LICENSES.get(group, ("",)))


def _updated(row: _Row) -> float:
    return row.updated


def _published(row: _Row) -> float:
    return row.dataset.created


_KEYS: Mapping[DatasetSortBy, Callable[[_Row], float]] = {DatasetSortBy.DATASET_SORT_BY_PUBLISHED: _published}
