"""Checks whether there is a GPU to train on."""


def cuda_works() -> bool:
    """Whether the installed PyTorch can use a GPU of this machine."""
    import torch

    return bool(torch.cuda.is_available())
