import hydra
from omegaconf import DictConfig, OmegaConf

from score import auc


@hydra.main(version_base=None, config_path="conf", config_name="config")
def main(cfg: DictConfig) -> None:
    print(OmegaConf.to_yaml(cfg))
    for fold in range(cfg.folds):
        value = auc(cfg.optimizer.lr, cfg.width, fold)
        print(f"{cfg.optimizer.name}: fold {fold} auc {value:.4f}", flush=True)


if __name__ == "__main__":
    main()
