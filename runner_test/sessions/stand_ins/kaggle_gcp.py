"""The local Kaggle's stand-in for the module of Kaggle's image with this name: no service of Google is connected."""

from kaggle_secrets import GcpTarget


class KernelIntegrations:
    """The services of Google that are connected to the session."""

    def __init__(self) -> None:
        self.integrations: dict[GcpTarget, bool] = {}

    def add_integration(self, target: GcpTarget) -> None:
        """Take note of one."""
        self.integrations[target] = True

    def has_integration(self, target: GcpTarget) -> bool:
        """Whether it is connected."""
        return target in self.integrations

    def has_bigquery(self) -> bool:
        """Whether BigQuery is."""
        return self.has_integration(GcpTarget.BIGQUERY)

    def has_gcs(self) -> bool:
        """Whether Cloud Storage is."""
        return self.has_integration(GcpTarget.GCS)

    def has_cloudai(self) -> bool:
        """Whether the AI Platform is."""
        return self.has_integration(GcpTarget.CLOUDAI)


def get_integrations() -> KernelIntegrations:
    """None is connected here."""
    return KernelIntegrations()


def __getattr__(name: str) -> object:
    if name.startswith("__"):
        raise AttributeError(name)
    raise AttributeError(
        f"kaggle_gcp.{name}: the local Kaggle has no services of Google; use google.cloud with credentials of your own"
    )
