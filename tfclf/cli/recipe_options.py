"""The fields of a training's Recipe as options of a command."""

import dataclasses
import inspect
from collections.abc import Callable, Mapping
from typing import Annotated, Any, get_type_hints

import typer

from tfclf.training.recipe import Recipe

_DEFAULT = Recipe()
_HELP = {
    "epochs": "Maximum number of passes over the training rows. Raise it if accuracy still grows.",
    "batch_size": "Rows per step. Lower it if memory runs out.",
    "learning_rate": "Peak of the learning rate. Lower it if the loss jumps or is not a number.",
    "warmup": "Fraction of all steps during which the learning rate rises. Raise it if the loss "
    "jumps at the start.",
    "weight_decay": "Weight decay of everything but biases and layer norms. Raise it against "
    "overfitting.",
    "clip_norm": "Maximum norm of the gradients of a step. Lower it if the loss jumps.",
    "max_length": "Maximum number of tokens in a training row. Lower it to train faster if texts "
    "are long.",
    "held_back": "Fraction of the training rows that is held back to pick the best epoch. Raise it "
    "if there are few rows.",
    "patience": "Epochs without improvement before training stops. 0 never stops early.",
    "seed": "Seed of the split, the order of rows, the new head and the dropout. Change it to see "
    "how much results vary.",
    "round_weights": "'float16' rounds the final weights to float16. Set it to export with "
    "--storage float16 exactly.",
    "mixed_precision": "Number format of the arithmetic: auto, float32, mixed_bfloat16 or "
    "mixed_float16. Set float32 if training is unstable.",
    "jit_compile": "Let XLA compile the training step. It is faster on a GPU, and takes minutes on "
    "a CPU.",
    "save_steps": "Steps between two saves of the state. Lower it to lose less work when "
    "interrupted.",
}
_SHOWN_DEFAULTS = {
    "max_length": "the card's, or the checkpoint's limit",
    "round_weights": "the card's, or not rounded",
    "jit_compile": "with a GPU",
}


def add_recipe_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command an option for each field of Recipe, before its last parameter.

    Typer reads options from a function's signature. The command takes their values as
    `**options`; `given_fields` turns them into fields of Recipe.

    >>> @add_recipe_options
    ... def train(output: str, machine: bool = False, **options: Any) -> None: ...
    >>> list(inspect.signature(train).parameters)[:3]
    ['output', 'epochs', 'batch_size']
    """
    parameters = list(inspect.signature(command).parameters.values())
    *own, last = [one for one in parameters if one.kind is not inspect.Parameter.VAR_KEYWORD]
    signature = inspect.Signature([*own, *_recipe_parameters(), last])
    command.__signature__ = signature  # type: ignore[attr-defined]
    return command


def given_fields(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of Recipe that the user has set.

    >>> given_fields({"epochs": 1, "patience": 0, "seed": None})
    {'epochs': 1, 'patience': None}
    """
    given = {name: value for name, value in options.items() if value is not None}
    if given.get("patience") == 0:
        given["patience"] = None
    return given


def _recipe_parameters() -> list[inspect.Parameter]:
    types = get_type_hints(Recipe)
    parameters = []
    for field in dataclasses.fields(Recipe):
        default = f"the card's, or {getattr(_DEFAULT, field.name)}"
        option = typer.Option(
            help=_HELP[field.name], show_default=_SHOWN_DEFAULTS.get(field.name, default)
        )
        parameters.append(
            inspect.Parameter(
                field.name,
                inspect.Parameter.POSITIONAL_OR_KEYWORD,
                default=None,
                annotation=Annotated[types[field.name] | None, option],
            )
        )
    return parameters
