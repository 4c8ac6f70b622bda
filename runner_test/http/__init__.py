"""The local Kaggle's HTTP API: Kaggle's paths, credentials, requests and answers, as kagglesdk defines them.

`app` routes, `rpc` parses a request and calls its method, and each group of methods has a module.
"""

from runner_test.http.app import URL_LIFETIME, create_app, url_of
from runner_test.http.hosts import is_loopback
from runner_test.http.methods import METHODS
from runner_test.http.timed import Timed

__all__ = ["METHODS", "URL_LIFETIME", "Timed", "create_app", "is_loopback", "url_of"]
