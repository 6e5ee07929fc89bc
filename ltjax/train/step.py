"""One update for all methods: batch, augment, mix, forward, objective, gradient, optimiser, guard."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import optax

from ltjax import registry
from ltjax.optim.optimizers import clip_factor
from ltjax.train.experiment import Experiment, ReadyStage
from ltjax.train.objective import PER_NETWORK, total_loss
from ltjax.train.sharding import Across, mean_over_devices, varying
from ltjax.train.state import TrainState, nested, split
from ltjax.types import Context


@dataclass(frozen=True)
class Update:
    """The update of one stage, as one device sees it inside `shard_map` over the axis `data`.

    `feed` holds this step's `rows` [k,b] and where wanted `other` [k,b], `lr`, `epoch`, `last` (1 at an epoch's last
    step) and `draws`; `data` the resident arrays.
    """

    exp: Experiment
    stage: ReadyStage
    network: Any
    masked: bool
    teacher: Any = None

    def __call__(self, state: TrainState, feed, data):
        across = Across()
        feed, noise = self._drawn(state, feed, data, across)
        trained, frozen = split(state.params, self.stage.train)
        moving = varying(trained)
        grads, model_state, terms, networks = None, state.model_state, state.terms, state.networks
        sums: dict[str, Any] = {}
        k = feed["rows"].shape[0]
        for j in range(k):
            def objective(params, j=j, model_state=model_state, terms=terms, networks=networks):
                return self._objective(params, frozen, model_state, terms, networks, state, feed, data, j, across)

            part, options = self.stage.gradient
            value, (model_state, terms, networks, metrics), grad = part.fn(
                objective, moving, total=across.total, **options)
            grads = grad if grads is None else jax.tree.map(jnp.add, grads, grad)
            metrics = {"loss": value / k, **metrics}
            sums = metrics if not sums else jax.tree.map(jnp.add, sums, metrics)
        grads = jax.tree.map(lambda g: g / k, grads) if k > 1 else grads
        norm = flat_norm(grads)
        params, opt, moved = self._apply(state, trained, frozen, grads, norm, feed)
        networks = self._ema(networks, params, model_state)
        ok = jnp.isfinite(sums["loss"]) & jnp.isfinite(moved)
        learner = self._learned(state, moving, frozen, noise, feed, data, across)
        new = state.replace(params=params, opt=opt, model_state=model_state, terms=terms, networks=networks,
                            learner=learner)
        return self._guarded(state, new, ok, {**sums, "grad_norm": norm})

    def _context(self, state, feed, j, across):
        """part name -> its context at this step, with a key of its own."""
        step = state.step * feed["rows"].shape[0] + j
        base = jax.random.fold_in(state.seed, self.stage.offset + state.step)
        base = jax.random.fold_in(base, j) if feed["rows"].shape[0] > 1 else base

        def context(name: str) -> Context:
            key = jax.random.fold_in(base, zlib.crc32(name.encode()))
            extra = {"micro_step": step, "epochs": len(self.stage.epoch_steps)}
            return Context(self.exp.stats, state.step, feed["epoch"], state.step / self.stage.steps, key, across, extra)

        return context

    def _drawn(self, state, feed, data, across):
        """The feed with the rows that a learner draws, and the noise that it drew them with."""
        if not self.stage.learner:
            return feed, None
        part, options = self.stage.learner
        ctx, b = self._context(state, feed, 0, across)(part.name), feed["rows"].shape[1]
        keys = jax.vmap(jax.random.fold_in, (None, 0))(ctx.key, across.first(b) + jnp.arange(b))
        labels = data["label"][: self.exp.rows]
        rows, noise = part.fn(**options).draw(state.learner, labels, keys)
        return {**feed, "rows": jnp.expand_dims(rows, 0)}, noise

    def _learned(self, state, params, frozen, noise, feed, data, across):
        """The learner's parameters after the step, taught by the second sampler's rows."""
        if not self.stage.learner:
            return state.learner
        part, options = self.stage.learner
        rest = (frozen, state.model_state, state.terms, state.networks, state, feed, data, 0, across)

        def held_out(params):
            batch = self._rows(feed["other"][0], data, self._context(state, feed, 0, across), "other")
            outputs, _ = self._forward({"params": nested({**params, **frozen}), **state.model_state}, batch)
            losses = registry.get("loss", "ce").fn(outputs["logits"], batch["label"], stats=self.exp.stats)
            return across.total((losses * batch["mask"]).sum()) / across.total(batch["mask"].sum())

        labels = data["label"][: self.exp.rows]
        return part.fn(**options).learn(
            state.learner, feed["rows"][0], noise, labels, params, held_out=held_out, rate=feed["lr"],
            weighted=lambda p, weight: self._objective(p, *rest, weight=weight)[0], total=across.total, mine=varying)

    def _objective(self, params, frozen, model_state, terms, networks, state, feed, data, j, across, weight=None):
        context = self._context(state, feed, j, across)
        batch = self._batch(feed, data, j, context)
        if weight is not None:
            batch["weight"] = weight * batch.get("weight", 1)
        variables = {"params": nested({**params, **frozen}), **model_state}
        outputs, model_state = self._forward(variables, batch)
        if "ema" in networks and self._reads_ema:
            shadow = {"params": networks["ema"]["params"], **networks["ema"]["model_state"]}
            seen, moved = self._forward(jax.lax.stop_gradient(shadow), batch)
            outputs = {**outputs, "ema": jax.lax.stop_gradient(seen)}
            networks = {**networks, "ema": {**networks["ema"], "model_state": moved}}
        if "teacher" in networks:
            fixed = {"params": networks["teacher"]["params"], **networks["teacher"]["model_state"]}
            seen, _ = self._forward(fixed, batch, self.teacher, train=False)
            outputs = {**outputs, "teacher": jax.lax.stop_gradient(seen)}
        draws = self._draws(feed, j)
        loss, terms, values = total_loss(self.stage.entries, outputs, batch, terms, context, draws, across.total,
                                         mean_over_devices)
        logits = outputs["logits"][0] if len(self.stage.views) > 1 else outputs["logits"]
        hit = (logits[..., : self.exp.stats.classes].argmax(-1) == batch["label"]) * batch["mask"]
        k = feed["rows"].shape[0]
        metrics = {f"entry/{name}": jnp.asarray(v, loss.dtype) / k for name, v in values.items()}
        metrics |= {"correct": across.total(hit.sum()), "seen": across.total(batch["mask"].sum())}
        return loss, (model_state, terms, networks, metrics)

    def _batch(self, feed, data, j, context: Callable[[str], Context]):
        rows = feed["rows"][j]
        batch = self._rows(rows, data, context)
        if "other" in feed:
            batch["other"] = self._rows(feed["other"][j], data, context, "other")
        if self.stage.mixer:
            part, options = self.stage.mixer
            mixer, ctx = part.fn(**options), context(part.name)
            given = self._draws(feed, j).get(part.name)
            values = mixer.draw(ctx.key, batch, ctx) if given is None else {k: v[0] for k, v in given.items()}
            mixed = mixer.mix(batch, values, self.exp.stats, ctx)
            batch = unmixed_where_alone(batch, mixed) if self.masked else mixed
        return batch

    def _rows(self, rows, data, context, name="augment"):
        """The examples of some rows; row -1 is padding. Views stand on axis 1 until the forward pass."""
        index = jnp.maximum(rows, 0)
        dtype = jnp.float64 if self.exp.float64 else jnp.float32
        batch = {k: v[index] for k, v in data.items() if k != "x"}
        first, key = context(name).across.first(rows.shape[0]), context(name).key
        images = data["x"][index]
        views = []
        for v, view in enumerate(self.stage.views):
            keys = jax.vmap(jax.random.fold_in, (None, 0))(jax.random.fold_in(key, v), first + jnp.arange(len(rows)))
            views.append(normalise(augmented(images, keys, view), self.exp.dataset, dtype))
        x = views[0] if len(views) == 1 else jnp.stack(views, 1)
        mask = (rows >= 0).astype(dtype) if self.masked else jnp.ones(rows.shape, dtype)
        out = {**batch, "x": x, "index": index, "mask": mask}
        return {**out, "views": jnp.arange(len(views))} if len(views) > 1 else out

    def _forward(self, variables, batch, network=None, train=None):
        """Outputs with views unfolded to a leading axis (after the experts'), and the new statistics."""
        x, mask, many = batch["x"], batch["mask"] if self.masked else None, len(self.stage.views) > 1
        if many:
            b, v = x.shape[:2]
            x = x.reshape(b * v, *x.shape[2:])
            mask = None if mask is None else jnp.repeat(mask, v)
        train = self.stage.batchnorm == "batch" if train is None else train
        network = network or self.network
        outputs, moved = network.apply(variables, x, train=train, mask=mask, mutable=["batch_stats"])
        if many:
            outputs = {k: o if k in PER_NETWORK else unfold(o, b, v, k.startswith("expert_"))
                       for k, o in outputs.items()}
        return outputs, moved

    def _draws(self, feed, j):
        """Draws handed in for this step: part -> name -> [calls, ...], this device's rows where they have rows."""
        parts = [e.part for e in self.stage.entries] + ([self.stage.mixer[0]] if self.stage.mixer else [])
        by_row = {part.name: (*part.meta.get("per_row", ()), *part.meta.get("draws", ())) for part in parts}
        b = feed["rows"].shape[1]

        def mine(part, name, values):
            if name not in by_row.get(part, ()):
                return values
            return jax.lax.dynamic_slice_in_dim(varying(values), Across().first(b), b, axis=1)

        return {part: {name: mine(part, name, values[j]) for name, values in named.items()}
                for part, named in feed["draws"].items()}

    def _apply(self, state, trained, frozen, grads, norm, feed):
        """Clip, optimiser, learning rates by group, projection; also the norm of the update."""
        optim = self.stage.optim
        if optim["clip"]:
            factor = clip_factor(norm, optim["clip"])
            grads = jax.tree.map(lambda g: g * factor, grads)
        updates, opt = transformation(optim, trained).update(grads, state.opt, trained)
        factors = group_factors(optim["groups"], trained)
        updates = {k: -jnp.asarray(feed["lr"] * factors[k], u.dtype) * u for k, u in updates.items()}
        params = {**frozen, **{k: p + updates[k] for k, p in trained.items()}}
        if self.stage.project:
            part, options = self.stage.project
            projection = part.fn(**options)
            projected = projection.apply(params, state.project)
            when = feed["last"] if projection.every == "epoch" else True
            params = {k: jnp.where(when, projected[k], p) for k, p in params.items()}
        return nested(params), opt, flat_norm(updates)

    @property
    def _reads_ema(self) -> bool:
        """Whether a term looks at the averaged network's outputs, whose statistics then are those of its own passes."""
        return any("ema" in e.part.meta.get("needs", ()) for e in self.stage.entries)

    def _ema(self, networks, params, model_state):
        """The averaged network after an update; its statistics are averaged too where no term runs it."""
        if "ema" not in networks:
            return networks
        decay, old = self.stage.networks["ema"], networks["ema"]
        new = {"params": params, "model_state": old["model_state"] if self._reads_ema else model_state}
        return {**networks, "ema": jax.tree.map(lambda a, b: decay * a + (1 - decay) * b, old, new)}

    def _guarded(self, old: TrainState, new: TrainState, ok, metrics):
        """A step that is not finite changes nothing and leaves the sums; `stop` halts, `skip` goes on."""
        stop = self.exp.config["run"]["on_nonfinite"] == "stop"
        take = ok & ~old.halted
        new = new.replace(step=old.step, halted=old.halted, seed=old.seed)
        state = jax.tree.map(lambda a, b: jnp.where(take, a, b), new.replace(seed=None), old.replace(seed=None))
        advance = take if stop else ~old.halted
        state = state.replace(step=old.step + advance.astype(jnp.int32), seed=old.seed,
                              halted=old.halted | (~ok if stop else False))
        metrics = {k: jnp.where(take, v, 0) for k, v in metrics.items()}
        return state, {**metrics, "good": take.astype(metrics["loss"].dtype),
                       "bad": (~ok & ~old.halted).astype(metrics["loss"].dtype)}


def unmixed_where_alone(batch, mixed):
    """The mixed batch, but rows whose partner is an empty slot as they were."""
    alone = batch["other"]["mask"] == 0
    return {**mixed, "x": jnp.where(alone.reshape(-1, *(1,) * (mixed["x"].ndim - 1)), batch["x"], mixed["x"]),
            "label2": jnp.where(alone, batch["label"], mixed["label2"]), "ratio": jnp.where(alone, 1, mixed["ratio"])}


def augmented(images, keys, view):
    """Each image through the view's augmentations, each with a key of its own."""
    for number, (part, options) in enumerate(view):
        one = part.fn(**options)
        images = jax.vmap(one)(jax.vmap(jax.random.fold_in, (0, None))(keys, number), images)
    return images


def normalise(x, dataset, dtype):
    """(x / scale - mean) / std in the compute type."""
    x = x.astype(dtype) / dataset.scale
    if len(dataset.mean):
        shape = (1,) * (x.ndim - 1) + (-1,)
        x = (x - jnp.asarray(dataset.mean, dtype).reshape(shape)) / jnp.asarray(dataset.std, dtype).reshape(shape)
    return x


def unfold(array, rows, views, experts):
    """[b*v, ...] -> [v, b, ...]; behind the experts' axis where there is one."""
    axis = 1 if experts else 0
    shape = (*array.shape[:axis], rows, views, *array.shape[axis + 1:])
    return jnp.moveaxis(array.reshape(shape), axis + 1, axis)


def flat_norm(tree):
    """The L2 norm of a tree as one reduction: a hundred small ones would cost an accelerator more than the update."""
    return jnp.linalg.norm(jnp.concatenate([leaf.ravel() for leaf in jax.tree.leaves(tree)]))


def transformation(optim, trained) -> optax.GradientTransformation:
    """The stage's optimiser over the trained parameters, {path: tensor}."""
    chosen, _ = split(nested(trained), optim["decay"])
    mask = {path: path in chosen for path in trained}
    part = registry.get("optimizer", optim["name"])
    return part.fn(mask, momentum=optim["momentum"], nesterov=optim["nesterov"], weight_decay=optim["weight_decay"])


def group_factors(groups, trained) -> dict[str, float]:
    """Path -> factor of the learning rate; the last matching (regex, factor) wins."""
    factors = dict.fromkeys(trained, 1.0)
    for pattern, factor in groups:
        factors |= dict.fromkeys(split(nested(trained), pattern)[0], factor)
    return factors
