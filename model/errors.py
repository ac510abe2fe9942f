"""The errors of this package."""


class ModelError(Exception):
    """Base of all errors of this package."""


class ModelConfigError(ModelError):
    """The configuration asks for a network that cannot be built."""


class DivergedError(ModelError):
    """The training loss is no longer a number.

    Args:
        epoch: the epoch in which that happened, from 1.
    """

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch
        super().__init__(
            f"The training loss must be finite, but is not a number in epoch {epoch}. "
            "A smaller `training.lr` usually helps."
        )
