"""The queue of sessions."""

from runner_test.state import Reference
from runner_test.store import Store
from tests.runner_test.local import all_final, eventually, new_version


def test_the_oldest_ticket_is_first(store: Store) -> None:
    """Versions saved one after the other run in that order, two at a time."""
    reference = Reference("me", "shared")
    versions = [store.save(reference, new_version("import time; time.sleep(0.1)")) for _ in range(6)]
    eventually(lambda: all_final(store, reference), "all are done", 60)
    started = [store.progress(version).started or 0.0 for version in versions]
    assert started == sorted(started)
    ended = [store.progress(version).ended or 0.0 for version in versions]
    for index in range(2, 6):
        # At each start, at most one of the earlier ones was still running.
        assert sum(end > started[index] for end in ended[:index]) <= 1
