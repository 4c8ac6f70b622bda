"""Opens a target by its name: Kaggle with the credentials that are found, the local one in this process, a cluster."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping

from coordinator.errors import CredentialsError, ProjectError
from coordinator.finding import Finding
from coordinator.kaggle_rules import normal_name
from coordinator.project import Project, SlurmSettings, TargetName
from coordinator.target import local
from coordinator.target.abilities import KAGGLE, kind_of_target, target_settings
from coordinator.target.addresses import is_address, is_safe
from coordinator.target.credentials import Credentials, find_credentials
from coordinator.target.protocol import Target

ENDPOINT_VARIABLE = "COORD_KAGGLE_ENDPOINT"


@contextlib.contextmanager
def open_target(project: Project, name: TargetName) -> Iterator[Target]:
    """The target of that name, which is closed after the block.

    Raises CredentialsError, ProjectError (owner unknown), TargetError (no such target in the settings) or
    DependencyError before any request is sent.
    """
    if (kind := kind_of_target(project, name)) in ("slurm", "ray"):
        with _cluster(project, name) as cluster:
            yield cluster
        return
    # Imported here: kagglesdk takes a fifth of a second, which only commands that talk to a target should pay.
    from coordinator.target.kaggle import Kaggle, oauth_token

    with contextlib.ExitStack() as stack:
        if kind == "local":
            owner, website = project.settings.owner or local.OWNER, ""
            server = stack.enter_context(local.local_kaggle(project))
            endpoint = server.endpoint
            credentials = Credentials(source="the local target", username=owner, key=server.token)
        else:
            endpoint, website = kaggle_endpoint(), None
            credentials = find_credentials()
            if credentials.oauth_file is not None:
                token = oauth_token(credentials.oauth_file, endpoint)
                credentials = Credentials(source=credentials.source, username=credentials.username, token=token)
            owner = _owner(project, credentials)
        target = Kaggle(name=name, endpoint=endpoint, credentials=credentials, owner=owner, website=website)
        stack.callback(target.close)
        yield target


def _cluster(project: Project, name: TargetName) -> contextlib.AbstractContextManager[Target]:
    # Imported here, as below: what talks to a cluster is loaded by commands that do.
    settings = target_settings(project, name)
    if isinstance(settings, SlurmSettings):
        from coordinator.target.slurm import open_slurm

        return open_slurm(project, name, settings)
    from coordinator.target.ray import open_ray

    return open_ray(project, name, settings)


def cluster_findings(project: Project, name: TargetName, modules: Mapping[str, str]) -> Iterator[Finding]:
    """What there is to say about a cluster before anything is pushed to it, for `coord doctor`.

    `modules` has what the kernels import: module -> distribution. Raises TargetError if the settings have no such
    target.
    """
    settings = target_settings(project, name)
    if isinstance(settings, SlurmSettings):
        from coordinator.target.slurm import findings as of_slurm

        return of_slurm(project, name, settings, modules)
    from coordinator.target.ray import findings as of_ray

    return of_ray(project, name, settings, modules)


def place_of(project: Project, name: TargetName) -> str:
    """Where a target is: Kaggle's address, or a cluster's host and folder; empty for this machine."""
    settings = project.settings.targets.get(name)
    if settings is not None:
        return f"{settings.host}:{settings.root}" if settings.host else settings.root
    return kaggle_endpoint() if name == KAGGLE else ""


def is_answering(project: Project, name: TargetName) -> None:
    """Asks the target one small question. Raises what `open_target` does, and NoAnswer or its leaves."""
    with open_target(project, name) as target:
        next(iter(target.kernels()), None)


def kaggle_endpoint() -> str:
    """The address of the target `kaggle`. Raises ProjectError if the variable that overrides it is not one."""
    from coordinator.target.kaggle import PRODUCTION

    return _endpoint() or PRODUCTION


def _endpoint() -> str | None:
    endpoint = os.environ.get(ENDPOINT_VARIABLE, "").rstrip("/")
    if not endpoint:
        return None
    if not is_address(endpoint):
        # Without the value: it may have a password.
        raise ProjectError(f"{ENDPOINT_VARIABLE} is not an address like https://host:port")
    if not is_safe(endpoint):
        raise ProjectError(f"{ENDPOINT_VARIABLE}: credentials are sent over https only, except to this machine")
    return endpoint


def _owner(project: Project, credentials: Credentials) -> str:
    owner, username = project.settings.owner, credentials.username
    if owner is None and username is None:
        raise ProjectError(
            f"the token from {credentials.source} does not name its user",
            hint='Set owner = "your-kaggle-name" in [tool.coord].',
        )
    if owner and username and owner != normal_name(username):
        raise CredentialsError(
            f'[tool.coord] owner is "{owner}", but the credentials from {credentials.source} are of "{username}"',
            hint="Change one of them.",
        )
    return owner or normal_name(str(username))
