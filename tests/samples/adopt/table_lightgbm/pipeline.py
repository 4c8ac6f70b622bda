import argparse

import lightgbm as lgb
import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold

parser = argparse.ArgumentParser(formatter_class=argparse.ArgumentDefaultsHelpFormatter)
parser.add_argument("--learning_rate", type=float, default=0.3)
parser.add_argument("--num_leaves", type=int, default=4)
parser.add_argument("--n_splits", type=int, default=2)
parser.add_argument("--seed", type=int, default=0)
args = parser.parse_args()

rng = np.random.default_rng(args.seed)
frame = pd.DataFrame(rng.random((200, 4)), columns=list("abcd"))
target = (frame.a + 0.2 * rng.standard_normal(200) > 0.5).astype(int)
oof = np.zeros(len(frame))
for fold, (train, valid) in enumerate(StratifiedKFold(args.n_splits, shuffle=True, random_state=0).split(frame, target)):
    model = lgb.train(
        {"objective": "binary", "metric": "auc", "verbose": -1, "num_threads": 1, "seed": args.seed,
         "learning_rate": args.learning_rate, "num_leaves": args.num_leaves},
        lgb.Dataset(frame.iloc[train], target.iloc[train]),
        num_boost_round=20,
        valid_sets=[lgb.Dataset(frame.iloc[valid], target.iloc[valid])],
        callbacks=[lgb.log_evaluation(10)],
    )
    oof[valid] = model.predict(frame.iloc[valid])
print(f"OOF AUC {roc_auc_score(target, oof):.5f}")
pd.DataFrame({"row_id": frame.index, "label": target, "pred": oof}).to_csv("oof_predictions.csv", index=False)
