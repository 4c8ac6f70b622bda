def auc(lr, width, fold):
    """Stands for a training: a number that depends on the options and the fold."""
    return 0.9 - abs(lr - 0.1) - 1 / width + 0.01 * fold
