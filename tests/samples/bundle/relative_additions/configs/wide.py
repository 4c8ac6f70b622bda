from default import *

NET = "big"
