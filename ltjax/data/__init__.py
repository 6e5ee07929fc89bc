"""Data: sources, the long-tail protocol, splits and their hashes (NumPy only).

    from ltjax.data import load
    data = load(dict(name="cifar100_lt", imbalance=50))
    data.train["x"], data.train["label"], data.counts, data.info["train_sha256"]

A source is a registered function of kind `data` that returns a `Dataset`:

- `digits_lt`: scikit-learn's embedded digits; needs no files.
- `synthetic`: Gaussian classes whose best possible accuracies are known exactly.
- `cifar10_lt`, `cifar100_lt`, `fashion_mnist_lt`: from local files in three layouts (`layouts()`).
- `npz`: your own arrays. `image_folder`: your own image files.

To add one, put a file into this package that registers a function; give `assemble` (`ltjax.data.pool`) its
labels and a function that reads rows, and the protocol, validation split, hashes and checks come for free.

The protocol stands in `longtail`: class counts of a profile, which rows are kept, validation rows taken from
the long-tailed rows. Test sets stay as the source has them; `shifts` gives other test priors. Importing this
package imports NumPy alone; the sources that need scikit-learn, Pillow or TensorFlow Datasets import them.
"""

from ltjax.data.base import Dataset, load, rows_sha256, split_record, validate
from ltjax.data.files import found, layouts
from ltjax.data.longtail import class_counts
from ltjax.data.shifts import shifted_counts, shifted_prior, shifted_rows

__all__ = [
    "Dataset", "class_counts", "found", "layouts", "load", "rows_sha256", "shifted_counts", "shifted_prior",
    "shifted_rows", "split_record", "validate",
]
