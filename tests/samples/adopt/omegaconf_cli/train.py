import os

from omegaconf import OmegaConf

from score import auc

config = OmegaConf.merge(OmegaConf.load("config/config.yml"), OmegaConf.from_cli())
os.makedirs(config.work_dir, exist_ok=True)
for fold in range(config.dataset.folds):
    print(f"fold {fold} auc {auc(config.train.lr, config.model.width, fold):.4f}", flush=True)
OmegaConf.save(config, os.path.join(config.work_dir, "config.yml"))
