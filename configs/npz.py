"""Your own arrays: train_x, train_y, test_x, test_y in one .npz file, or as .npy files in a folder.

ltjax train --config npz:path=my_data.npz
ltjax train --config npz:path=my_data.npz,ir=100 --set model.name=resnet32

Arguments: path; ir, which makes a long tail of that ratio (0 takes the rows as they are); smoke, one epoch.
Features [n,d] suit the mlp; for images [n,h,w,c] name a convolutional network, see `ltjax list models`.
"""

from ltjax.config import base, parse_arg


def get_config(arg=None):
    a = parse_arg(arg, path="", ir=0.0, smoke=False)
    c = base()
    c.data = dict(name="npz", path=a.path, imbalance=a.ir, standardize=True)
    c.model = dict(name="mlp", hidden=(256, 256))
    c.optim.epochs, c.optim.batch = 100, 128
    if a.smoke:
        c.optim.epochs = 1
    return c
