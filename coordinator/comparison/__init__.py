"""What a comparison is made of.

`candidates.py` finds what a name stands for, and `sides.py` reads its values in one metric. `images.py` holds two
sides' out-of-fold rows against each other, `noise.py` says how far single runs lie apart by luck, and `verdict.py` what
can be said.
"""
