from default_config import basic_cfg

cfg = basic_cfg
