# -*- coding: utf-8 -*-
VALUE = 'ä'


def f():
    return 'ö'
