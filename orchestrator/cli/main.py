"""The console script ``ablate``: makes sure of our packages, then runs the command line."""

import sys

from orchestrator.errors import LackError
from orchestrator.execution.import_roots import bind


def main() -> None:
    """Run the command line."""
    try:
        bind()
    except LackError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
    from orchestrator.cli.app import run_command  # imports `model` and `features`

    run_command()


if __name__ == "__main__":
    main()
