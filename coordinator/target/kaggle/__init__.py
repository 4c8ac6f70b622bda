"""The only package that talks to Kaggle: kagglesdk's messages over an HTTP client of ours.

`client` and `competitions` have the calls, `dialogue` what they have in common. `transport` sends them, `policy` says
as a table what is repeated and how long a call may take, `answers` reads what comes back without trusting it, and
`meanings` says as a table what each failure means.
"""

from coordinator.target.kaggle.client import Kaggle
from coordinator.target.kaggle.oauth import oauth_token
from coordinator.target.kaggle.transport import PRODUCTION

__all__ = ["PRODUCTION", "Kaggle", "oauth_token"]
