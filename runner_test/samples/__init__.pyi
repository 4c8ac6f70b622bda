from .data import write_sample_data as write_sample_data
