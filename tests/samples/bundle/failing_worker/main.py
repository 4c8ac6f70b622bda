import multiprocessing

from work import fail

if __name__ == '__main__':
    process = multiprocessing.get_context('spawn').Process(target=fail)
    process.start()
    process.join()
    print(process.exitcode)
