from .sub import low
