from .data import SampleData as SampleData, write_sample_data as write_sample_data
