"""CIFAR-100 with a long tail, ResNet-32, the recipe that most papers of the field share.

ltjax train --config cifar100_lt:ir=100
ltjax compare --config cifar100_lt:ir=100 --methods @rebalance --seeds 3

200 epochs, batch 128, momentum 0.9, weight decay 2e-4, rate 0.1 with a warm-up over the first 2.5 % and drops to 1 %
and 0.01 % after 80 % and 90 %; crop and flip. Epochs and batch stand here; the rest is the library's default, so that a
method with optimiser habits of its own keeps them (give optim.lr, optim.schedule, ... to hold all methods to one).

Arguments: ir, the ratio of the largest class to the smallest; smoke, one epoch. The data is read from local files:
`ltjax doctor` tells where they are looked for. Meant for an accelerator; on CPU use digits_lt.
"""

from ltjax.config import base, parse_arg


def get_config(arg=None):
    a = parse_arg(arg, ir=100.0, smoke=False)
    c = base()
    c.data = dict(name="cifar100_lt", imbalance=a.ir, augment=(dict(name="crop"), dict(name="flip")))
    c.model = dict(name="resnet32")
    c.optim.epochs, c.optim.batch = 200, 128
    if a.smoke:
        c.optim.epochs = 1
    return c
