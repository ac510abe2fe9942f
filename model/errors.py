"""The errors of this package."""


class ModelError(Exception):
    """Base of all errors of this package."""


class ModelConfigError(ModelError):
    """The configuration asks for a network that cannot be built; the message names the setting."""


class DivergedError(ModelError):
    """The training loss, or a log probability of a held-out segment, is NaN or infinite.

    Args:
        epoch: number of the epoch in which that happened, from 1.
    """

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch
        super().__init__(
            f"The training loss must be finite, but is not a number in epoch {epoch}. "
            "A smaller `training.lr` usually helps."
        )
