"""Gaussian classes with a long tail, whose best possible accuracy is known exactly.

ltjax train --config synthetic:ir=50
ltjax compare --config synthetic:ir=100,classes=10 --methods erm,balanced_softmax --seeds 5

Arguments: ir, the ratio of the largest class to the smallest; classes; separation, the distance of the class means in
standard deviations; smoke, two epochs to see that it runs. One seed takes about ten seconds on two CPU cores.
"""

from ltjax.config import base, parse_arg


def get_config(arg=None):
    a = parse_arg(arg, ir=50.0, classes=5, separation=3.0, smoke=False)
    c = base()
    c.data = dict(name="synthetic", imbalance=a.ir, classes=a.classes, dim=max(8, a.classes), separation=a.separation)
    c.model = dict(name="mlp", hidden=(64,))
    c.optim.epochs, c.optim.batch = 30, 64
    if a.smoke:
        c.optim.epochs = 2
    return c
