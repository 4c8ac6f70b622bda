def value(auc):
    return 2 - 2 * auc
