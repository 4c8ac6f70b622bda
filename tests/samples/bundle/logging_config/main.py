import logging.config
import pathlib

from pack import handlers

logging.config.dictConfig({'version': 1, 'formatters': {'f': {'format': '%(name)s %(module)s %(filename)s:%(lineno)d %(funcName)s %(message)s'}}, 'handlers': {'h': {'class': 'pack.handlers.Shout', 'formatter': 'f', 'level': 'INFO'}}, 'root': {'handlers': ['h'], 'level': 'INFO'}})
handlers.tell()
logging.config.fileConfig(pathlib.Path(__file__).with_name('logging.ini'), disable_existing_loggers=False)
handlers.tell()
