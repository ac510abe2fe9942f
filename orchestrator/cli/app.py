"""The command line: its commands, one file a noun; an error becomes a sentence and an exit code.

0 done; 1 some trials failed; 2 the request was wrong; 3 the environment lacks something;
4 damage or a differing result was found, nothing was lost; 130 interrupted (resumable).
"""

import platform
import sys
from typing import Annotated

import typer

from features import errors as features_errors
from orchestrator.cli import (
    cluster,
    compare,
    corpus,
    doctor,
    export,
    features,
    model,
    plan,
    predict,
    report,
    run,
    store,
    submit,
    trial,
)
from orchestrator.errors import AblateError
from orchestrator.planning.cost.machine import installed
from orchestrator.printable import clean
from orchestrator.store.files import is_refusal

app = typer.Typer(
    name="ablate",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _print_version(wanted: bool) -> None:
    """Print the version and exit with 0, if ``--version`` is given."""
    if wanted:
        print(clean(f"ablate {installed('ablate-ser') or 'of a folder that is not installed'}"))
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=_print_version,
            is_eager=True,
            help="Print the version, nothing else.",
        ),
    ] = False,
) -> None:
    """Does this part of my speech emotion model earn its place?"""


run.register(app)
submit.register(app)
plan.register(app)
report.register(app)
compare.register(app)
export.register(app)
predict.register(app)
store.register(app)
trial.register(app)
corpus.register(app)
features.register(app)
doctor.register(app)
model.register(app)
cluster.register(app)

_EXIT_CODES = {
    features_errors.CorpusError: 2,
    features_errors.MissingError: 3,
    features_errors.ShardDamageError: 4,
}


def run_command() -> None:
    """Run the command in ``sys.argv``, and turn an error into one sentence and an exit code."""
    _refuse_unsupported_platforms()
    try:
        app(prog_name="ablate")
    except AblateError as error:
        _leave(str(error), error.exit_code)
    except features_errors.FeatureError as error:
        _leave(str(error), _EXIT_CODES.get(type(error), 1))
    except Exception as error:
        if not is_refusal(error):
            raise
        where = getattr(error, "filename", None)
        what = getattr(error, "strerror", None) or str(error).rstrip(".")
        _leave(f"The system refused{f' `{where}`' if where else ''}: {what}.", 3)


def _refuse_unsupported_platforms() -> None:
    """Exit with 3 on Windows and on Intel Macs, where Ray or PyTorch do not run."""
    system, machine = platform.system(), platform.machine()
    if system == "Windows":
        _leave("ablate does not run on native Windows (Ray does not): use WSL 2.", 3)
    if system == "Darwin" and machine == "x86_64":
        _leave("ablate does not run on Intel Macs: there is no Ray and no PyTorch for them.", 3)


def _leave(sentence: str, code: int) -> None:
    """Print a sentence on stderr, and exit with ``code``."""
    from orchestrator.report.console import say_lines

    sys.stdout.flush()
    say_lines(sentence, stderr=True)
    sys.exit(code)
