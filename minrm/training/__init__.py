"""Training: any of the three reward models on `transformers.Trainer`, with LoRA and a model card."""

from minrm.training.train import TrainingResult, train

__all__ = ["TrainingResult", "train"]
