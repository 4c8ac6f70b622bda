"""The table of all probes, in the order in which they are asked; and what no check can ask.

What runs or is processed meanwhile is begun early: the data set, then the first kernel.
"""

from __future__ import annotations

from coordinator.maintenance.live_check import of_account, of_data, of_logs, of_saving, of_sessions

PROBES = (
    *of_account.PROBES,
    *of_data.PROBES,
    *of_logs.FIRST,
    *of_logs.RUNNING,
    *of_logs.ENDED,
    *of_sessions.FIRST,
    *of_saving.PROBES,
    *of_sessions.EARLY,
    *of_data.LATER,
    *of_sessions.SECOND,
    *of_data.LATEST,
    *of_sessions.THIRD,
)

LEFT_OUT = {
    "a push that does not say whether it is private": "it could make something public",
    "accelerators: which are given for which name, the session limit, the hours": "it would use the week's hours",
    "the longest session, the largest output, the most files": "hours of a machine, or gigabytes",
    "competitions: limits, errors in Kaggle's words, reruns on hidden data, gateways": "a submission counts",
    "the internet, and secrets with it": "it needs a verified telephone number",
    "a token that has expired; 429 and 5xx": "they cannot be asked for",
    "the largest data set, and an upload that goes on a week later": "gigabytes, or a week",
    "which version of a kernel is attached, and which log is shown, while a newer one runs": "two more sessions",
    "a data set's title of 5 characters": "if it were taken, the check could not tell it from one of yours",
    "two pushes of one name at the same time; a push whose answer is lost": "they would have to fail on purpose",
}
"""What -> why."""
