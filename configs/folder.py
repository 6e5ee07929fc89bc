"""Your own image files: PATH/train/CLASS/*.png (or jpg), PATH/test/CLASS/*, and PATH/val if you like.

ltjax train --config folder:path=my_images
ltjax train --config folder:path=my_images,size=64 --set model.name=resnet18

Arguments: path; size, to which height and width are resized (0 leaves them); ir, which makes a long tail of that ratio
(0 takes the files as they are); smoke, one epoch.
"""

from ltjax.config import base, parse_arg


def get_config(arg=None):
    a = parse_arg(arg, path="", size=32, ir=0.0, smoke=False)
    c = base()
    c.data = dict(name="image_folder", path=a.path, size=a.size, imbalance=a.ir, standardize=True,
                  augment=(dict(name="crop"), dict(name="flip")))
    c.model = dict(name="resnet32")
    c.optim.epochs, c.optim.batch = 200, 128
    if a.smoke:
        c.optim.epochs = 1
    return c
