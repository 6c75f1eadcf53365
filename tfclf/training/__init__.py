"""Fine-tuning with the original TF classes: base checkpoint and rows in, checkpoint that classifies out."""

from tfclf.training.recipe import Recipe
from tfclf.training.run import TrainingResult, train

__all__ = ["Recipe", "TrainingResult", "train"]
