import multiprocessing
import sys
from concurrent.futures import ProcessPoolExecutor

from .work import double, where

TABLE = {1: "one"}


def here(x):
    return TABLE.get(x), __name__ == "__main__"


def leave(code):
    sys.exit(code)


def main(method):
    context = multiprocessing.get_context(method)
    with context.Pool(2) as pool:
        print(pool.map(double, range(4)), pool.map(here, [1, 2]), pool.apply(where))
    with ProcessPoolExecutor(1, mp_context=context) as executor:
        print(executor.submit(double, 4).result())
        try:
            executor.submit(double, None).result()
        except TypeError as error:
            print(error, "pack/work.py" in str(error.__cause__).replace(chr(92), "/"))
    process = context.Process(target=leave, args=(3,))
    process.start()
    process.join()
    queue = context.Queue()
    other = context.Process(target=queue.put, args=(double(8),))
    other.start()
    print(process.exitcode, queue.get(), method)
    other.join()


if __name__ == "__main__":
    main(sys.argv[1])
