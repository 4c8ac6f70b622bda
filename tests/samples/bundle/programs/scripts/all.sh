set -e
"$1" steps/extra.py
"$1" -m late.run
