import pack.sub.low

NAME = 'high over ' + pack.sub.low.NAME
