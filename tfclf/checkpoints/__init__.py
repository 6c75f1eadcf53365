"""Checkpoints: any format of weights in, one `Checkpoint` out.

Light on purpose: `tfclf pull` reads `checkpoints.files` and must not import TensorFlow.
"""
