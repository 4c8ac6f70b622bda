"""The local Kaggle's stand-in for the module of Kaggle's image with this name: there are no buckets of Google here."""

import os
from pathlib import Path

from kaggle_web_client import KaggleWebClient


class KaggleDatasets:
    """Where the attached data sets are for a TPU. Raises CredentialError without the session's token."""

    GET_GCS_PATH_ENDPOINT = "/requests/CopyDatasetVersionToKnownGcsBucketRequest"
    TIMEOUT_SECS = 600

    def __init__(self) -> None:
        self.web_client = KaggleWebClient()

    def get_gcs_path(self, dataset_dir: str | None = None) -> str:
        """On a TPU VM (ISTPUVM is set) the folder below the input; else BackendError, or ConnectionError."""
        if os.getenv("ISTPUVM") is None:
            asked = {"MountSlug": dataset_dir, "IntegrationType": 2}
            self.web_client.make_post_request(asked, self.GET_GCS_PATH_ENDPOINT, self.TIMEOUT_SECS)
        folder = Path(os.environ.get("COORD_KAGGLE_ROOT", "/kaggle"), "input")
        if dataset_dir is not None:
            return str(folder / dataset_dir)
        found = [path for path in folder.iterdir() if path.is_dir()]
        if len(found) != 1:
            raise Exception("Could not infer dataset_dir: that needs exactly one attached data set.")
        return str(found[0])
