"""Fashion-MNIST (28 x 28, grey) with a long tail, ResNet-20.

ltjax train --config fashion_mnist_lt:ir=100
ltjax compare --config fashion_mnist_lt:ir=100 --methods @rebalance --seeds 3

Arguments: ir, the ratio of the largest class to the smallest; smoke, one epoch. The data is read from local files:
`ltjax doctor` tells where they are looked for. Meant for an accelerator; on CPU take
--set "model.name=small_cnn" --set optim.epochs=10.
"""

from ltjax.config import base, parse_arg


def get_config(arg=None):
    a = parse_arg(arg, ir=100.0, smoke=False)
    c = base()
    c.data = dict(name="fashion_mnist_lt", imbalance=a.ir, augment=(dict(name="crop", padding=2), dict(name="flip")))
    c.model = dict(name="resnet20")
    c.optim.epochs, c.optim.batch = 100, 128
    if a.smoke:
        c.optim.epochs = 1
    return c
