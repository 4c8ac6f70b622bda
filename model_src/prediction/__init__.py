"""Prediction: from the detector's instances to one mask per image, by a rule that is chosen on out-of-fold images.

Other packages import its modules directly, for example `prediction.thresholds`: merge loads no torch, which
`prediction.predict` needs.
"""
