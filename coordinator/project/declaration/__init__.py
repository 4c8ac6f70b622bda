"""What declares a config: a dataclass, its flags, its config files, a folder of Hydra's, or a base experiment."""
