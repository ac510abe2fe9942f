"""Versions of what trains: kept with every outcome, compared by ``ablate rerun``."""

import platform
from importlib.metadata import PackageNotFoundError, version

LIBRARIES = (
    "ablate-ser",
    "numpy",
    "opensmile",
    "pyarrow",
    "ray",
    "safetensors",
    "torch",
    "torch-geometric",
)


def libraries() -> dict[str, str]:
    """Python's version and those of the libraries; none of them is imported."""
    return {"python": platform.python_version(), **{name: installed(name) for name in LIBRARIES}}


def installed(name: str) -> str:
    """The version of a package, or an empty text."""
    try:
        return version(name)
    except PackageNotFoundError:
        return ""
