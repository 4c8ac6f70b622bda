import both
import only_above

print(both.NAME, only_above.NAME)
