from .strip import strip
