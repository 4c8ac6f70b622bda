import multiprocessing
import os

print('the module runs as', __name__, os.path.basename(__file__), flush=True)


def work():
    print('works', __name__, flush=True)


if __name__ == '__main__':
    for method in ('spawn', 'fork'):
        process = multiprocessing.get_context(method).Process(target=work)
        process.start()
        process.join()
        print(process.exitcode, flush=True)
