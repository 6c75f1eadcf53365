"""Fine-tuning with the original TF classes: base checkpoint and rows in, classifier out."""

from tfclf.training.plan import Plan, plan_card
from tfclf.training.recipe import Recipe
from tfclf.training.run import TrainingResult, train

__all__ = ["Plan", "Recipe", "TrainingResult", "plan_card", "train"]
