#!/usr/bin/env python
# -*- coding: shift_jis -*-
VALUE = '日本'


def f():
    return 'ソ'
