def value(auc):
    return 1 - auc
