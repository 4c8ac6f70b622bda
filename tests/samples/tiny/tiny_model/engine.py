"""One epoch of nothing."""


def epoch(fold: int, epoch: int, *, crash: bool) -> float:
    if crash:
        raise RuntimeError("the loss is not finite")
    return 0.6 + 0.05 * epoch + 0.01 * fold
