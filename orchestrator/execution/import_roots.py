"""Makes sure that `model` and `features` are the packages that lie beside `orchestrator`.

Both names are common: a `model.py` or a folder `features/` of a person's own may stand before ours
on Python's path, through the working folder or PYTHONPATH. ``bind`` imports both packages from
where they lie and so puts them into ``sys.modules``, where every later import finds them.
``sys.path`` stays as it is: with our folder in front, a package that is installed beside us would
shadow a module of the standard library.

Every process binds before it imports anything else of ours: the command line (`cli/main.py`), the
workers of Ray (`cluster/ray_worker.py`), and the processes of a probe (`probe.py`). No process can
help against a foreign `orchestrator` that stands first on PYTHONPATH: Python then never gets here.
"""

import importlib.util
import sys
from pathlib import Path

import orchestrator
from orchestrator.errors import LackError

PACKAGES = ("model", "features")
"""The packages that ``bind`` imports."""


def bind() -> None:
    """Import ``model`` and ``features`` from the folder in which ``orchestrator`` lies.

    Raises:
        LackError: another package of that name was imported before, or ours is not there.
    """
    folder = Path(str(orchestrator.__file__)).parent.parent
    for name in PACKAGES:
        ours = folder / name / "__init__.py"
        imported = sys.modules.get(name)
        if imported is None:
            _import_from(name, ours)
        elif not _is_file_of(imported.__file__, ours):
            raise LackError(
                f"`{name}` must be the package in `{folder}`, but the one of "
                f"`{imported.__file__}` had been imported before it: take that one off the Python "
                "path."
            )


def _import_from(name: str, file: Path) -> None:
    """Import a package from its ``__init__.py`` under the given name.

    Raises:
        LackError: there is no such file.
    """
    spec = importlib.util.spec_from_file_location(
        name, file, submodule_search_locations=[str(file.parent)]
    )
    if spec is None or spec.loader is None or not file.is_file():
        raise LackError(
            f"The package `{name}` is not in `{file.parent}`: install `ablate-ser` anew."
        )
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)


def _is_file_of(found: str | None, ours: Path) -> bool:
    """Whether an imported module's file (None for a folder without one) is our file."""
    return found is not None and Path(found).resolve() == ours.resolve()
