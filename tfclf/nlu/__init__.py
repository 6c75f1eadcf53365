"""The one-liner of `nlu`, for code that was written for it:

from tfclf import nlu
nlu.load("en.classify.distilbert_sequence.ag_news").predict("Shares jump after earnings")
"""

from tfclf.nlu.pipeline import Pipeline as Pipeline
from tfclf.nlu.pipeline import load as load
