"""The bundle: model source and config as one self-contained script, byte for byte reproducible."""
