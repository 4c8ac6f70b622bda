from copy import copy

from default_config import basic_cfg

cfg = copy(basic_cfg)
cfg.width = 8
