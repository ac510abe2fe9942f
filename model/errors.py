"""What can go wrong between a tensor and a score."""


class ModelError(Exception):
    """Root of all errors of this room."""


class ModelConfigError(ModelError):
    """The configuration asks for a network that cannot be built."""


class DivergedError(ModelError):
    """The loss is no longer a number."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch
        super().__init__(
            f"The training loss must be finite, but is not a number in epoch {epoch}. "
            "A smaller `training.lr` usually helps."
        )
