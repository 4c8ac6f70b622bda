"""Logistic regression for a small table, cross-validated."""

import argparse
import csv
import math
import random
from pathlib import Path


def rows(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def features(row):
    return [1.0, float(row["age"]) / 40 - 1, float(row["fare"]) / 50 - 1, 1.0 if row["sex"] == "female" else -1.0]


def probability(weights, row):
    return 1 / (1 + math.exp(-sum(w * x for w, x in zip(weights, features(row)))))


def fit(data, args, rng):
    weights = [0.0] * 4
    for _ in range(args.epochs):
        rng.shuffle(data)
        for row in data:
            error = float(row["survived"]) - probability(weights, row)
            weights = [w + args.lr * error * x for w, x in zip(weights, features(row))]
    return weights


def accuracy(weights, data, threshold):
    return sum((probability(weights, row) > threshold) == (row["survived"] == "1") for row in data) / len(data)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default="data", help="folder with train.csv and test.csv")
    parser.add_argument("--lr", type=float, default=0.05, help="learning rate")
    parser.add_argument("--threshold", type=float, default=0.5, help="survives if more probable than this")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--folds", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()

    rng = random.Random(args.seed)
    data = rows(Path(args.data) / "train.csv")
    rng.shuffle(data)
    scores = []
    for fold in range(args.folds):
        weights = fit([row for i, row in enumerate(data) if i % args.folds != fold], args, rng)
        scores.append(accuracy(weights, data[fold :: args.folds], args.threshold))
        print(f"fold {fold}: accuracy {scores[-1]:.4f}")
    print(f"cv accuracy: {sum(scores) / len(scores):.4f}")

    weights = fit(data, args, rng)
    with open("submission.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "survived"])
        for row in rows(Path(args.data) / "test.csv"):
            writer.writerow([row["id"], int(probability(weights, row) > args.threshold)])


if __name__ == "__main__":
    main()
