import pack.sub.low
from pack import high
from pack.sub import low as again

print(high.NAME, pack.sub.low.NAME, again is pack.sub.low, pack.__name__)
