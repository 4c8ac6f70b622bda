"""The table of methods of Kaggle's services, by their names in the request's path."""

from kagglesdk.blobs.types.blob_api_service import ApiStartBlobUploadRequest
from kagglesdk.competitions.types.competition_api_service import (
    ApiCreateCodeSubmissionRequest,
    ApiCreateSubmissionRequest,
    ApiDownloadDataFileRequest,
    ApiDownloadDataFilesRequest,
    ApiDownloadLeaderboardRequest,
    ApiDownloadSubmissionRequest,
    ApiGetCompetitionRequest,
    ApiGetLeaderboardRequest,
    ApiGetSubmissionLimitsRequest,
    ApiGetSubmissionRequest,
    ApiListCompetitionsRequest,
    ApiListCompetitionTopicsRequest,
    ApiListDataFilesRequest,
    ApiListSubmissionsRequest,
    ApiStartSubmissionUploadRequest,
)
from kagglesdk.datasets.types.dataset_api_service import (
    ApiCreateDatasetRequest,
    ApiCreateDatasetVersionByIdRequest,
    ApiCreateDatasetVersionRequest,
    ApiDeleteDatasetRequest,
    ApiDownloadDatasetRawRequest,
    ApiDownloadDatasetRequest,
    ApiGetDatasetMetadataRequest,
    ApiGetDatasetRequest,
    ApiGetDatasetStatusRequest,
    ApiListDatasetFilesRequest,
    ApiListDatasetsRequest,
    ApiListTreeDatasetFilesRequest,
    ApiUpdateDatasetMetadataRequest,
)
from kagglesdk.kernels.types.kernels_api_service import (
    ApiCancelKernelSessionRequest,
    ApiCreateKernelSessionRequest,
    ApiDeleteKernelRequest,
    ApiDownloadKernelOutputRequest,
    ApiDownloadKernelOutputZipRequest,
    ApiGetAcceleratorQuotaStatisticsRequest,
    ApiGetKernelRequest,
    ApiGetKernelSessionLogsStreamRequest,
    ApiGetKernelSessionStatusRequest,
    ApiListKernelFilesRequest,
    ApiListKernelSessionOutputRequest,
    ApiListKernelsRequest,
    ApiSaveKernelRequest,
)
from kagglesdk.models.types.model_api_service import (
    ApiDownloadModelInstanceVersionRequest,
    ApiGetModelInstanceRequest,
    ApiGetModelRequest,
    ApiListModelInstancesRequest,
    ApiListModelInstanceVersionFilesRequest,
    ApiListModelInstanceVersionsRequest,
    ApiListModelsRequest,
)
from kagglesdk.security.types.oauth_service import IntrospectTokenRequest, IntrospectTokenResponse

from runner_test.http import (
    competing,
    dataset_listing,
    dataset_reading,
    dataset_writing,
    listing,
    model_reading,
    quota,
    ranking,
    reading,
    saving,
    submitting,
    uploading,
)
from runner_test.http.rpc import Answer, Caller, Method, new
from runner_test.http.signing import is_same


def introspect_token(caller: Caller, request: IntrospectTokenRequest) -> Answer:
    """Whether an access token is valid, and whose it is."""
    is_valid = is_same(request.token, caller.store.token())
    return new(IntrospectTokenResponse, active=is_valid, username=caller.token_user if is_valid else None)


def hello(caller: Caller, _: ApiGetModelRequest) -> Answer:
    """Who the caller is; kagglehub asks this with the request of another method."""
    return {"userName": caller.user}


_KERNELS = {
    "SaveKernel": Method(ApiSaveKernelRequest, saving.save_kernel),
    "GetKernel": Method(ApiGetKernelRequest, reading.get_kernel),
    "ListKernels": Method(ApiListKernelsRequest, listing.list_kernels),
    "ListKernelFiles": Method(ApiListKernelFilesRequest, reading.list_kernel_files),
    "GetKernelSessionStatus": Method(ApiGetKernelSessionStatusRequest, reading.get_kernel_session_status),
    "ListKernelSessionOutput": Method(ApiListKernelSessionOutputRequest, reading.list_kernel_session_output),
    "GetKernelSessionLogsStream": Method(ApiGetKernelSessionLogsStreamRequest, reading.get_kernel_session_logs_stream),
    "DownloadKernelOutput": Method(ApiDownloadKernelOutputRequest, reading.download_kernel_output),
    "DownloadKernelOutputZip": Method(ApiDownloadKernelOutputZipRequest, reading.download_kernel_output_zip),
    "CreateKernelSession": Method(ApiCreateKernelSessionRequest, saving.create_kernel_session),
    "DeleteKernel": Method(ApiDeleteKernelRequest, saving.delete_kernel),
    "CancelKernelSession": Method(ApiCancelKernelSessionRequest, saving.cancel_kernel_session),
    "GetAcceleratorQuotaStatistics": Method(
        ApiGetAcceleratorQuotaStatisticsRequest, quota.get_accelerator_quota_statistics
    ),
}

_COMPETITIONS = {
    "GetCompetition": Method(ApiGetCompetitionRequest, competing.get_competition),
    "ListCompetitions": Method(ApiListCompetitionsRequest, competing.list_competitions),
    "ListDataFiles": Method(ApiListDataFilesRequest, competing.list_data_files),
    "DownloadDataFile": Method(ApiDownloadDataFileRequest, competing.download_data_file),
    "DownloadDataFiles": Method(ApiDownloadDataFilesRequest, competing.download_data_files),
    "StartSubmissionUpload": Method(ApiStartSubmissionUploadRequest, submitting.start_submission_upload),
    "CreateSubmission": Method(ApiCreateSubmissionRequest, submitting.create_submission),
    "CreateCodeSubmission": Method(ApiCreateCodeSubmissionRequest, submitting.create_code_submission),
    "GetSubmission": Method(ApiGetSubmissionRequest, submitting.get_submission),
    "ListSubmissions": Method(ApiListSubmissionsRequest, submitting.list_submissions),
    "GetSubmissionLimits": Method(ApiGetSubmissionLimitsRequest, submitting.get_submission_limits),
    "GetLeaderboard": Method(ApiGetLeaderboardRequest, ranking.get_leaderboard),
    "DownloadLeaderboard": Method(ApiDownloadLeaderboardRequest, ranking.download_leaderboard),
    "ListCompetitionTopics": Method(ApiListCompetitionTopicsRequest, competing.list_competition_topics),
    "DownloadSubmission": Method(ApiDownloadSubmissionRequest, submitting.download_submission),
}

_DATASETS = {
    "CreateDataset": Method(ApiCreateDatasetRequest, dataset_writing.create_dataset),
    "CreateDatasetVersion": Method(ApiCreateDatasetVersionRequest, dataset_writing.create_dataset_version),
    "CreateDatasetVersionById": Method(
        ApiCreateDatasetVersionByIdRequest, dataset_writing.create_dataset_version_by_id
    ),
    "GetDataset": Method(ApiGetDatasetRequest, dataset_reading.get_dataset),
    "GetDatasetStatus": Method(ApiGetDatasetStatusRequest, dataset_reading.get_dataset_status),
    "GetDatasetMetadata": Method(ApiGetDatasetMetadataRequest, dataset_reading.get_dataset_metadata),
    "UpdateDatasetMetadata": Method(ApiUpdateDatasetMetadataRequest, dataset_writing.update_dataset_metadata),
    "ListDatasetFiles": Method(ApiListDatasetFilesRequest, dataset_reading.list_dataset_files),
    "ListTreeDatasetFiles": Method(ApiListTreeDatasetFilesRequest, dataset_reading.list_tree_dataset_files),
    "DownloadDataset": Method(ApiDownloadDatasetRequest, dataset_reading.download_dataset),
    "DownloadDatasetRaw": Method(ApiDownloadDatasetRawRequest, dataset_reading.download_dataset),
    "DeleteDataset": Method(ApiDeleteDatasetRequest, dataset_writing.delete_dataset),
    "ListDatasets": Method(ApiListDatasetsRequest, dataset_listing.list_datasets),
}

_MODELS = {
    "GetModel": Method(ApiGetModelRequest, model_reading.get_model),
    "ListModels": Method(ApiListModelsRequest, model_reading.list_models),
    "GetModelInstance": Method(ApiGetModelInstanceRequest, model_reading.get_model_instance),
    "ListModelInstances": Method(ApiListModelInstancesRequest, model_reading.list_model_instances),
    "ListModelInstanceVersions": Method(
        ApiListModelInstanceVersionsRequest, model_reading.list_model_instance_versions
    ),
    "ListModelInstanceVersionFiles": Method(
        ApiListModelInstanceVersionFilesRequest, model_reading.list_model_instance_version_files
    ),
    "DownloadModelInstanceVersion": Method(
        ApiDownloadModelInstanceVersionRequest, model_reading.download_model_instance_version
    ),
}

METHODS = {
    **{f"kernels.KernelsApiService/{name}": method for name, method in _KERNELS.items()},
    **{f"competitions.CompetitionApiService/{name}": method for name, method in _COMPETITIONS.items()},
    **{f"datasets.DatasetApiService/{name}": method for name, method in _DATASETS.items()},
    **{f"models.ModelApiService/{name}": method for name, method in _MODELS.items()},
    "blobs.BlobApiService/StartBlobUpload": Method(ApiStartBlobUploadRequest, uploading.start_blob_upload),
    "api.v1.DiagnosticsService/Hello": Method(ApiGetModelRequest, hello),
    "security.OAuthService/IntrospectToken": Method(IntrospectTokenRequest, introspect_token, public=True),
}
