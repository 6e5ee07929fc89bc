"""Parts that tests of the trainer register: call `register_parts()` inside a test."""

import jax
import jax.numpy as jnp

from ltjax.losses.stable import cross_entropy
from ltjax.registry import register
from ltjax.terms.base import Term, no_state


def register_parts() -> None:
    """Registers a consistency with an averaged network, a batch-level penalty and a loss that draws per row."""
    @register("term", "test_consistency", needs=("ema",), value="example")
    def test_consistency():
        """Squared distance to the logits of the averaged network."""
        def apply(state, outputs, batch, ctx):
            gap = jnp.square(outputs["logits"] - outputs["ema"]["logits"]).mean(-1)
            return gap, state, {"gap": gap.mean()}

        return Term(no_state, apply)

    @register("term", "test_batch_level", value="batch", reads_mix=True)
    def test_batch_level():
        """How far the mean logits of the global batch are from zero, and how alike its rows are."""
        def apply(state, outputs, batch, ctx):
            z, mask = outputs["logits"], batch["mask"]
            mean = ctx.across.total((z * mask[:, None]).sum(0)) / ctx.across.total(mask.sum())
            everyone = ctx.across.gather(z)
            alike = jnp.square(everyone @ everyone.T).mean()
            return jnp.square(mean).sum() + 1e-3 * alike, state, {}

        return Term(no_state, apply)

    @register("loss", "test_noisy", test_logits="train_posterior")
    def test_noisy(logits, labels, *, stats, key):
        """Cross-entropy of logits with noise of their own for every row."""
        noise = jax.vmap(lambda k: jax.random.normal(k, logits.shape[-1:], logits.dtype))(key)
        return cross_entropy(logits + noise, labels)
