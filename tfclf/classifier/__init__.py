"""Classifier: strings in, labels and scores out, from a live graph or an export."""

from tfclf.classifier.classifier import LOOK_AHEAD as LOOK_AHEAD
from tfclf.classifier.classifier import Classifier as Classifier
