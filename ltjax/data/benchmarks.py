"""The long-tailed benchmarks whose images lie in local files: CIFAR-10-LT, CIFAR-100-LT, Fashion-MNIST-LT."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ltjax.data.base import Dataset
from ltjax.data.files import BENCHMARKS, SOURCES, read_benchmark
from ltjax.data.longtail import BOUNDS, ORDERS, PROFILES, Protocol
from ltjax.data.pool import assemble
from ltjax.registry import register

CIFAR10 = "airplane automobile bird cat deer dog frog horse ship truck"
CIFAR100 = """
apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly camel can
castle caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur dolphin
elephant flatfish forest fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion lizard lobster
man maple_tree motorcycle mountain mouse mushroom oak_tree orange orchid otter palm_tree pear pickup_truck
pine_tree plain plate poppy porcupine possum rabbit raccoon ray road rocket rose sea seal shark shrew skunk
skyscraper snail snake spider squirrel streetcar sunflower sweet_pepper table tank telephone television tiger
tractor train trout tulip turtle wardrobe whale willow_tree wolf woman worm
"""
FASHION = "T-shirt/top,Trouser,Pullover,Dress,Coat,Sandal,Shirt,Sneaker,Bag,Ankle boot"
CIFAR_MEAN, CIFAR_STD = (0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010)
"""Used for both CIFARs by the code that the long-tailed benchmarks come from."""

OPTIONS = """
The rows of the long-tailed benchmarks' released code: of every class the first of one shuffle with NumPy's
legacy generator, seed 0. Images come from local files; `ltjax doctor` tells the layouts. Files that hold only
the rows of one imbalance serve every larger one and refuse smaller ones and other seeds.

Args:
  imbalance: ratio of the largest to the smallest class.
  profile: `exp`, `step` or `pareto`.
  subset_seed: which images are kept; published numbers have 0.
  val_per_class: validation images per class, taken from the long-tailed rows.
  root: folder of the data; empty takes the environment variable LTJAX_DATA.
  source: layout: `arrays`, `sheets`, `tfds`, or `auto` for the first that is there.
  prior_smoothing: added to every class count by the statistics.
  largest: training images of the largest class; 0 takes a whole class of the official split.
  counts: explicit training images per class instead of a profile.
  order: which class gets the largest count: `label`, `size` or `shuffled`.
  val_share: share of every class that goes to validation, instead of `val_per_class`.
  val_seed: which of the kept images those are.
  verify: compare with recorded checksums (sheet packs).
"""


def _benchmark(data: str, summary: str, reference: str, cite: str, *, shape: tuple[int, int, int],
               official: int, class_names: tuple[str, ...], mean: tuple[float, ...], std: tuple[float, ...]
               ) -> Callable[..., Dataset]:
    """Registers a benchmark; `official` is the size of every class of its official training split."""

    def load(*, imbalance: float = 100.0, profile: str = "exp", subset_seed: int = 0, val_per_class: int = 0,
             root: str = "", source: str = "auto", prior_smoothing: float = 0.0, largest: int = 0,
             counts: tuple = (), order: str = "label", val_share: float = 0.0, val_seed: int = 0,
             verify: bool = False) -> Dataset:
        protocol = Protocol(imbalance, profile, largest or official, tuple(counts), order, subset_seed,
                            val_per_class, val_share, val_seed, prior_smoothing)
        pools, info = read_benchmark(BENCHMARKS[data], shape, root=root, source=source, verify=verify)
        return assemble(data, train=pools["train"], test=pools["test"], protocol=protocol, info=info,
                        class_names=class_names, scale=255.0, mean=mean, std=std)

    load.__name__ = load.__qualname__ = data
    load.__doc__ = f"{summary}\n{OPTIONS}\nReferences:\n  {reference}\n"
    bounds = {**BOUNDS, "imbalance": (1.0, np.inf)}
    choices = {"profile": PROFILES, "order": ORDERS, "source": SOURCES}
    return register("data", data, fixed=True, cite=cite, bounds=bounds, choices=choices)(load)


cifar10_lt = _benchmark(
    "cifar10_lt", "CIFAR-10 with a long tail: 12,406 training images at imbalance 100, balanced test.",
    "Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009; Cao et al., arXiv:1906.07413.",
    "arXiv:1906.07413", shape=(32, 32, 3), official=5000, class_names=tuple(CIFAR10.split()),
    mean=CIFAR_MEAN, std=CIFAR_STD)

cifar100_lt = _benchmark(
    "cifar100_lt", "CIFAR-100 with a long tail: 10,847 training images at imbalance 100, balanced test.",
    "Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009; Cao et al., arXiv:1906.07413.",
    "arXiv:1906.07413", shape=(32, 32, 3), official=500, class_names=tuple(CIFAR100.split()),
    mean=CIFAR_MEAN, std=CIFAR_STD)

fashion_mnist_lt = _benchmark(
    "fashion_mnist_lt", "Fashion-MNIST with a long tail: 14,886 grey training images at imbalance 100.",
    "Xiao et al., arXiv:1708.07747. Files prepared by TensorFlow Datasets do not tell the official row, so\n"
    '  there the kept images are others (`info["rows"]`).',
    "arXiv:1708.07747", shape=(28, 28, 1), official=6000, class_names=tuple(FASHION.split(",")),
    mean=(0.2860,), std=(0.3530,))
