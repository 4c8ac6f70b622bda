from .check_all import check_ledger as check_ledger
from .problem import Problem as Problem
