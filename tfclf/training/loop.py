"""The training loop: AdamW on the TF class, measured on held-back rows, saved regularly."""

import math
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy
import tensorflow as tf
import tf_keras

from tfclf.data import Row
from tfclf.errors import InputError
from tfclf.evaluation import evaluate
from tfclf.training.base import Base
from tfclf.training.batches import Encoded, dataset, order
from tfclf.training.precision import should_compile
from tfclf.training.predictor import Predictor
from tfclf.training.progress import TrainingProgress
from tfclf.training.recipe import Recipe
from tfclf.training.state import Epoch, Position, TrainingState

# As in BERT and transformers' Trainer; Keras's default of 1e-7 was chosen for other networks.
_EPSILON = 1e-8
# Names of variables without weight decay: biases and layer norms.
_NOT_DECAYED = ("bias", "LayerNorm", "layer_norm", "layernorm")
# Weight of the past in the displayed loss, an exponential moving average.
_SMOOTHING = 0.95


class Loop:
    """One training of one model, starting from its saved state if there is one."""

    def __init__(
        self,
        model: Any,
        base: Base,
        rows: Encoded,
        *,
        held_back: Sequence[Row],
        recipe: Recipe,
        state: TrainingState,
        progress: TrainingProgress,
    ) -> None:
        self._model = model
        self._base = base
        self._rows = rows
        self._held_back = held_back
        self._recipe = recipe
        self._state = state
        self._progress = progress
        self._predictor = Predictor(
            model,
            base.tokenizer,
            base.labels,
            max_length=rows.max_length,
            batch_size=recipe.batch_size,
        )
        self._optimizer = _adamw(model, recipe)
        self._step = _training_step(model, self._optimizer, recipe)
        self._generators = _dropout_generators(model)
        self._weights = tf.train.Checkpoint(model=model)
        self._everything = tf.train.Checkpoint(model=model, optimizer=self._optimizer)
        self._steps_per_epoch = -(-len(rows.labels) // recipe.batch_size)

    def run(self, position: Position | None) -> Position:
        """Train to the end, and leave the best epoch's weights in the model."""
        if position is None:
            position = Position()
            self._progress.say(
                f"State is saved in {self._state.folder}: if interrupted, repeat the call to resume"
            )
        else:
            self._state.restore(self._everything)
            done = position.epoch * self._steps_per_epoch + position.step
            self._progress.say(
                f"Resuming after step {done} of {self._steps}, saved in {self._state.folder}"
            )
        while position.epoch < self._recipe.epochs and not self._should_stop(position):
            self._run_epoch(position)
        self._state.restore_best(self._weights, position.best_epoch)
        return position

    @property
    def _steps(self) -> int:
        return self._steps_per_epoch * self._recipe.epochs

    def _should_stop(self, position: Position) -> bool:
        """Return whether `patience` epochs brought no improvement."""
        patience = self._recipe.patience
        if patience is None or position.epoch == 0:
            return False
        return position.epoch - position.best_epoch >= patience

    def _run_epoch(self, position: Position) -> None:
        recipe = self._recipe
        started = time.perf_counter() - position.seconds
        done = position.epoch * self._steps_per_epoch + position.step
        self._progress.begin(
            f"epoch {position.epoch + 1} of {recipe.epochs}", total=self._steps, done=done
        )
        batches = order(
            self._rows.lengths, batch_size=recipe.batch_size, seed=recipe.seed, epoch=position.epoch
        )[position.step :]
        smoothed = None
        for batch in dataset(self._rows, batches, pad_id=self._base.tokenizer.pad_token_id):
            rate = recipe.rate_at(done, self._steps)
            loss = self._run_step(batch, done, rate)
            past = loss if smoothed is None else smoothed
            smoothed = _SMOOTHING * past + (1 - _SMOOTHING) * loss
            done += 1
            position.step += 1
            position.loss_sum += loss
            self._progress.step(done, loss=smoothed, rate=rate)
            position.seconds = time.perf_counter() - started
            if done % recipe.save_steps == 0 and position.step < self._steps_per_epoch:
                self._state.save(self._everything, position, steps=done)
        self._finish_epoch(position)
        position.seconds = time.perf_counter() - started
        self._state.save(self._everything, position, steps=done)

    def _run_step(
        self, batch: tuple[tf.Tensor, tf.Tensor, tf.Tensor], step: int, rate: float
    ) -> float:
        # Seed dropout by step: a resumed training then drops the same units as an unbroken one.
        for index, generator in enumerate(self._generators):
            entropy = numpy.random.SeedSequence([self._recipe.seed, step, index])
            generator.reset_from_seed(int(entropy.generate_state(1)[0]))
        self._optimizer.learning_rate = rate
        loss = float(self._step(*batch))
        if not math.isfinite(loss):
            raise InputError(
                f"The loss is {loss} at step {step + 1} (learning rate {rate:.3g}, "
                f"{self._model.dtype_policy.name}). Expected a number. Lower --learning-rate, or "
                f"train with --mixed-precision float32."
            )
        return loss

    def _finish_epoch(self, position: Position) -> None:
        report = evaluate(self._predictor, self._held_back, self._base.labels)
        position.epoch += 1
        finished = Epoch(
            position.epoch, position.loss_sum / max(1, position.step), report.loss, report.accuracy
        )
        position.history.append(finished)
        position.step, position.loss_sum = 0, 0.0
        best = max(position.history, key=lambda epoch: (epoch.eval_accuracy, -epoch.eval_loss))
        if best is finished:
            position.best_epoch = finished.epoch
            self._state.save_best(self._weights, finished.epoch)
        self._progress.say(
            f"epoch {finished.epoch}: loss {finished.loss:.4f}; held-back rows: loss "
            f"{finished.eval_loss:.4f}, accuracy {finished.eval_accuracy:.4f}"
        )


def _adamw(model: Any, recipe: Recipe) -> Any:
    optimizer = tf_keras.optimizers.AdamW(
        learning_rate=recipe.learning_rate,
        weight_decay=recipe.weight_decay,
        epsilon=_EPSILON,
        # _training_step compiles the whole step, the optimizer included.
        jit_compile=False,
    )
    optimizer.exclude_from_weight_decay(var_names=list(_NOT_DECAYED))
    if model.dtype_policy.name == "mixed_float16":
        optimizer = tf_keras.mixed_precision.LossScaleOptimizer(optimizer)
    # Create all variables now: restoring a state must find them.
    optimizer.build(model.trainable_variables)
    return optimizer


def _training_step(model: Any, optimizer: Any, recipe: Recipe) -> Callable[..., tf.Tensor]:
    ids, labels = tf.TensorSpec([None, None], tf.int32), tf.TensorSpec([None], tf.int32)
    scaled = isinstance(optimizer, tf_keras.mixed_precision.LossScaleOptimizer)

    @tf.function(input_signature=[ids, ids, labels], jit_compile=should_compile(recipe.jit_compile))
    def step(input_ids: tf.Tensor, attention_mask: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            inputs = {"input_ids": input_ids, "attention_mask": attention_mask}
            logits = tf.cast(model(inputs, training=True).logits, tf.float32)
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)
            loss = tf.reduce_mean(losses)
            target = optimizer.get_scaled_loss(loss) if scaled else loss
        variables = model.trainable_variables
        gradients = tape.gradient(target, variables)
        if scaled:
            gradients = optimizer.get_unscaled_gradients(gradients)
        # Make gradients dense: a sparse one's norm would count each use of a repeated token.
        gradients = [None if part is None else tf.convert_to_tensor(part) for part in gradients]
        gradients, _ = tf.clip_by_global_norm(gradients, recipe.clip_norm)
        pairs = [pair for pair in zip(gradients, variables, strict=True) if pair[0] is not None]
        optimizer.apply_gradients(pairs)
        return loss

    compiled: Callable[..., tf.Tensor] = step
    return compiled


def _dropout_generators(model: Any) -> list[tf.random.Generator]:
    """Return the generator of every dropout layer, in the order of the layers.

    tf-keras 2.21 has no public access to them.
    """
    generators = []
    for layer in model.submodules:
        random = getattr(layer, "_random_generator", None)
        if isinstance(layer, tf_keras.layers.Layer) and random is not None:
            random._maybe_init()
            generators.append(random._generator)
    return [generator for generator in generators if generator is not None]
