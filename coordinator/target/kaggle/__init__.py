"""The only package that talks to Kaggle: the message types of kagglesdk over an HTTP client of ours.

`client` and `competitions` have the calls, `session` what they have in common. `transport` sends them over
`connections`, with the time limits of `deadline`; `policy` has the tables of repetitions and limits; `parsing` reads
the answers without trusting them; `error_table` has the table of errors.

The package `kaggle` itself is not used: its import signs in over the network, and may delete the saved sign-in; its
uploads and downloads have no deadline, print exceptions with signed addresses, and do not return what went wrong.
"""

from coordinator.target.kaggle.client import Kaggle
from coordinator.target.kaggle.oauth import oauth_token
from coordinator.target.kaggle.transport import PRODUCTION

__all__ = ["PRODUCTION", "Kaggle", "oauth_token"]
