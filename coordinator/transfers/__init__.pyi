from . import arriving as arriving, parallel as parallel
from .progress import Tally as Tally
from .transfer import Addresses as Addresses, Stopped as Stopped, Transfer as Transfer
