"""The prediction room: from the detector's instances to one mask per image, by a rule that is chosen out of fold.

Other rooms import its modules directly, for example `prediction.thresholds`: merge loads no torch, which
`prediction.predict` needs.
"""
