"""The table of methods: what Kaggle's services offer here, by the name in the request's path."""

from kagglesdk.kernels.types.kernels_api_service import (
    ApiCancelKernelSessionRequest,
    ApiDeleteKernelRequest,
    ApiDownloadKernelOutputRequest,
    ApiGetAcceleratorQuotaStatisticsRequest,
    ApiGetKernelRequest,
    ApiGetKernelSessionLogsStreamRequest,
    ApiGetKernelSessionStatusRequest,
    ApiListKernelFilesRequest,
    ApiListKernelSessionOutputRequest,
    ApiListKernelsRequest,
    ApiSaveKernelRequest,
)
from kagglesdk.security.types.oauth_service import IntrospectTokenRequest, IntrospectTokenResponse

from runner_test import quota, reading, saving
from runner_test.rpc import Answer, Caller, Method, new


def introspect_token(caller: Caller, request: IntrospectTokenRequest) -> Answer:
    """Say that any access token is valid and whose it is."""
    del request
    return new(IntrospectTokenResponse, active=True, username=caller.token_user)


_KERNELS = {
    "SaveKernel": Method(ApiSaveKernelRequest, saving.save_kernel),
    "GetKernel": Method(ApiGetKernelRequest, reading.get_kernel),
    "ListKernels": Method(ApiListKernelsRequest, reading.list_kernels),
    "ListKernelFiles": Method(ApiListKernelFilesRequest, reading.list_kernel_files),
    "GetKernelSessionStatus": Method(ApiGetKernelSessionStatusRequest, reading.get_kernel_session_status),
    "ListKernelSessionOutput": Method(ApiListKernelSessionOutputRequest, reading.list_kernel_session_output),
    "GetKernelSessionLogsStream": Method(ApiGetKernelSessionLogsStreamRequest, reading.get_kernel_session_logs_stream),
    "DownloadKernelOutput": Method(ApiDownloadKernelOutputRequest, reading.download_kernel_output),
    "DeleteKernel": Method(ApiDeleteKernelRequest, saving.delete_kernel),
    "CancelKernelSession": Method(ApiCancelKernelSessionRequest, saving.cancel_kernel_session),
    "GetAcceleratorQuotaStatistics": Method(
        ApiGetAcceleratorQuotaStatisticsRequest, quota.get_accelerator_quota_statistics
    ),
}

METHODS = {f"kernels.KernelsApiService/{name}": method for name, method in _KERNELS.items()} | {
    "security.OAuthService/IntrospectToken": Method(IntrospectTokenRequest, introspect_token, public=True),
}
