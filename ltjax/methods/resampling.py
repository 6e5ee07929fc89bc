"""Cross-entropy on batches drawn by another rule."""

from ltjax.methods.base import Method, Stage
from ltjax.methods.cifar import cifar
from ltjax.registry import register


def _sampled(sampler):
    return Method(stages=(Stage(sampler=sampler),))


@register("method", "class_balanced_sampling", cite="arXiv:1910.09217")
def class_balanced_sampling():
    """Every class equally likely, then one of its examples."""
    return _sampled("class_balanced")


@register("method", "square_root_sampling", cite="arXiv:1910.09217")
def square_root_sampling():
    """Classes in proportion to the square root of their counts."""
    return _sampled("square_root")


@register("method", "progressive_sampling", cite="arXiv:1910.09217")
def progressive_sampling():
    """From natural to class-balanced draws, epoch by epoch."""
    return _sampled("progressive")


@register("method", "reversed_sampling", cite="arXiv:1912.02413")
def reversed_sampling():
    """Classes in proportion to the inverse of their counts, the second branch of BBN alone."""
    return _sampled("reversed")


@register("method", "effective_number_sampling", cite="arXiv:1906.07413", bounds={"beta": (0.0, 1.0)})
def effective_number_sampling(*, beta=0.9999):
    """Examples with the class-balanced weight of their class, from the first step on; `drs` defers it.

    The authors' released switch for it does nothing; their table has it (33.4 % on CIFAR-100-LT at ratio 100).

    Args:
      beta: of the effective number.
    """
    return _sampled(dict(name="effective_number", beta=beta))


@register("method", "oversampling", cite="arXiv:1710.05381", bounds={"ratio": (0.0, 1.0)})
def oversampling(*, ratio=1.0):
    """Rows of small classes repeated until every class is as large as the largest times the ratio."""
    return _sampled(dict(name="oversample", ratio=ratio))


@register("method", "undersampling", cite="arXiv:1710.05381", bounds={"ratio": (1e-6, 1.0), "threshold": (0, 10**9)})
def undersampling(*, ratio=1.0, threshold=0):
    """Rows of large classes left out for good, down to the smallest class over the ratio, or to a threshold of rows."""
    return _sampled(dict(name="undersample", ratio=ratio, threshold=threshold))


@register("method", "repeat_factor_sampling", cite="arXiv:1908.03195", bounds={"threshold": (0.0, 1.0)})
def repeat_factor_sampling(*, threshold=0.001, root=True):
    """Rows of classes below a share of the data shown more often, by the square root of what they lack.

    Made for images with many objects. With one label per image nothing happens above the threshold: on small data
    raise it.

    Args:
      threshold: share of the data below which a class is repeated; root: take the square root.
    """
    return _sampled(dict(name="repeat_factor", threshold=threshold, root=root))


@register("method", "drs", cite="arXiv:1906.07413", bounds={"after": (0.0, 1.0)})
def drs(*, loss="ce", after=0.8, sampler="effective_number", head="linear"):
    """Deferred re-sampling: the data as they are first, then batches drawn in favour of rare classes.

    Args:
      loss: the loss; head: the classifier (`cosine` with loss=ldam).
      after: share of the run on natural batches (160 of 200 epochs, where the rate drops first).
      sampler: of the rest, `effective_number` with beta 0.9999 in the authors' table.
    """
    stage = Stage(objective=loss, sampler=dict(name="deferred_resample", after=after, then=sampler))
    return Method(head=head, stages=(stage,), recipe=cifar())
