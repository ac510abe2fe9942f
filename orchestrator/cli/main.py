"""The console script ``ablate``: imports our own `model` and `features`, then runs the command."""

import sys

from orchestrator.cli.streams import take_over
from orchestrator.errors import LackError
from orchestrator.execution.import_roots import bind


def main() -> None:
    """Run the command in ``sys.argv``; exit with 3 if a foreign package `model` hides ours."""
    take_over()
    try:
        bind()
    except LackError as error:
        from orchestrator.report.console import say_lines

        say_lines(str(error), stderr=True)
        sys.exit(error.exit_code)
    from orchestrator.cli.app import run_command  # imports `model` and `features`

    run_command()


if __name__ == "__main__":
    main()
