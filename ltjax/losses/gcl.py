"""Gaussian clouded logits."""

import jax
import jax.numpy as jnp
import numpy as np

from ltjax.losses.stable import columns, cross_entropy, draw, focusing, is_label, wide
from ltjax.registry import register
from ltjax.types import ClassStats


def cloud(stats: ClassStats) -> np.ndarray:
    """Size of the noise per class, 0 for the largest and 1 for the rarest; 0 for all at equal counts."""
    gap = np.log(stats.counts.max() / stats.counts)
    return gap / gap.max() if gap.max() > 0 else gap


def clipped_normal(key, shape, dtype):
    """Normal draws of standard deviation 1/3, clipped to [-1, 1]."""
    return jnp.clip(jax.random.normal(key, shape, dtype) / 3, -1, 1)


@register("loss", "gcl", cite="arXiv:2305.11733", test_logits="neither", extra_columns=True, draws=("noise",),
          bounds={"margin": (0.0, 1e3), "scale": (0.0, 1e4), "noise_scale": (0.0, 1e3), "gamma": (0.0, 1e2)})
def gcl(logits, labels, *, stats, key, noise=None, margin=0.0, scale=30.0, noise_scale=0.5, gamma=0.0):
    r"""Clouds the logits of rare classes with noise, so that their features spread less.

    .. math:: (1 - p_y)^\gamma \, \mathrm{CE}\big(s (z_j - k |\epsilon_j| c_j - m [j = y]), y\big)

    Args:
      logits: z [*b, k], cosines; labels: y [*b].
      stats: n, class counts; c_j = log(n_max / n_j), divided by its maximum; columns beyond the classes
        are clouded as the rarest one.
      key: for epsilon, normal with deviation 1/3 clipped to [-1, 1]; one key, or one per row.
      noise: epsilon [*b, k] itself, instead of a draw.
      margin: m, 0 in stage 1 and 0.1 in stage 2; scale: s, 30 and 20; noise_scale: k.
      gamma: focal exponent, 1 in stage 2; its factor carries no gradient.
    Reference: Li et al. 2022, arXiv:2305.11733, and the authors' code.
    """
    z = wide(logits)
    if noise is None:
        noise = draw(lambda k, s: clipped_normal(k, s, z.dtype), key, z.shape, "gcl")
    clouded = z - noise_scale * jnp.abs(noise) * columns(cloud(stats), z, fill=1.0)
    ce = cross_entropy(scale * jnp.where(is_label(labels, z.shape[-1]), clouded - margin, clouded), labels)
    return jax.lax.stop_gradient(focusing(ce, gamma)) * ce
