"""The table of methods, and the method of Kaggle's OAuth service."""

import inspect
import re

from kagglesdk.competitions.services.competition_api_service import CompetitionApiClient
from kagglesdk.datasets.services.dataset_api_service import DatasetApiClient
from kagglesdk.kernels.services.kernels_api_service import KernelsApiClient
from kagglesdk.kernels.types.kernels_api_service import (
    ApiGetKernelSessionStatusRequest,
)
from kagglesdk.models.services.model_api_service import ModelApiClient
from kagglesdk.security.services.oauth_service import OAuthClient
from kagglesdk.security.types.oauth_service import IntrospectTokenRequest

from runner_test.http import METHODS
from runner_test.http.unserved import is_kaggles
from tests.runner_test.local import Local, fill


def test_every_method_of_the_clients_is_there() -> None:
    """Every method of kagglesdk's client for kernels is in the table."""
    source = inspect.getsource(KernelsApiClient)
    asked = set(re.findall(r'"(kernels\.KernelsApiService)", "(\w+)"', source))
    assert len(asked) == 13
    assert {f"{service}/{name}" for service, name in asked} <= METHODS.keys()


def test_all_methods_of_kaggles_clients_are_known() -> None:
    """Those that are served and those that are not: each is asked for under the name that its client sends."""
    asked = set()
    for client in (KernelsApiClient, CompetitionApiClient, DatasetApiClient, ModelApiClient, OAuthClient):
        asked |= {"/".join(found) for found in re.findall(r'call\("([\w.]+)", "(\w+)"', inspect.getsource(client))}
    assert len(asked) > 80
    assert all(map(is_kaggles, asked))
    assert not is_kaggles("kernels.KernelsApiService/Nothing")


def test_the_token_is_somebody(local: Local) -> None:
    """The user of the token is a setting of the server, for introspection and for a push. Other tokens are nobody's."""
    token = local.store.token()
    other = OAuthClient(local.http()).introspect_token(fill(IntrospectTokenRequest(), token="KGAT_x"))
    assert (other.active, other.username) == (False, "")
    answer = OAuthClient(local.http(token=token)).introspect_token(fill(IntrospectTokenRequest(), token=token))
    assert (answer.active, answer.username) == (True, "local")
    assert local.push("by-name", "pass", user="local").error == ""
    status = fill(ApiGetKernelSessionStatusRequest(), user_name="local", kernel_slug="by-name")
    assert local.api(token=token).get_kernel_session_status(status).status.name in ("QUEUED", "RUNNING", "COMPLETE")
