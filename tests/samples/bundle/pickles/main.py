import pickle
from pathlib import Path

from pack.shapes import Colour, Point, Pair, move

data = pickle.dumps([Point(1, 2), Colour.RED, Pair(3, 4), move], protocol=4)
print(data.hex())
point, colour, pair, function = pickle.loads(data)
print(point, colour, pair, function is move, point == Point(1, 2))
print(pickle.loads(bytes.fromhex(Path(__file__).with_name('from_outside.hex').read_text()))[:3])


class Here:
    pass


print(type(pickle.loads(pickle.dumps(Here()))) is Here)
