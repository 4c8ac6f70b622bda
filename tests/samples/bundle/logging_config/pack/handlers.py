import logging


class Shout(logging.Handler):
    def emit(self, record):
        print(self.format(record).upper())


def tell():
    logging.getLogger(__name__).info('told')
