"""The verb live-check: asks a target itself what coord assumes of Kaggle, with tiny private kernels and a data set.

`probes` is the table of questions, one module for each subject; `check` makes what they need, when the first of them
needs it; `session_script` is what runs in the kernels; `made` remembers what was made, and deletes it; `facts` is the
table of the answers.
"""
