"""Handwritten digits (8 x 8) with a long tail; built in, so it runs everywhere at once.

ltjax train --config digits_lt:ir=50
ltjax compare --config digits_lt:ir=50 --methods erm,balanced_softmax,ldam_drw --seeds 5

Arguments: ir, the ratio of the largest class (120 images) to the smallest; smoke, two epochs to see that it runs.
One seed takes about five seconds on two CPU cores, most of them to compile.
"""

from ltjax.config import base, parse_arg


def get_config(arg=None):
    a = parse_arg(arg, ir=50.0, smoke=False)
    c = base()
    c.data = dict(name="digits_lt", imbalance=a.ir)
    c.model = dict(name="mlp", hidden=(128,))
    c.optim.epochs, c.optim.batch = 40, 32
    if a.smoke:
        c.optim.epochs = 2
    return c
