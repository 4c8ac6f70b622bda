import argparse
from importlib import resources

from lungs.score import auc


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--lr", type=float, default=0.3)
    parser.add_argument("--width", type=int, default=4)
    args = parser.parse_args()
    note = resources.files("lungs").joinpath("note.txt").read_text().strip()
    for fold in range(2):
        print(f"fold {fold} auc {auc(args.lr, args.width, fold):.4f} ({note})", flush=True)


if __name__ == "__main__":
    main()
