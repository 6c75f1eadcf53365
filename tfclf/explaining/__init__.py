"""Words left out: which words of a text moved its logits, as TensorFlow ops."""

from tfclf.explaining.explainer import Explainer as Explainer
