"""Attaches the probe to every Python that a test starts with this folder on its path."""

import os

if os.environ.get("ABLATE_TEST_LOG"):
    from tests.faults.probe import attach

    attach(
        os.environ["ABLATE_TEST_LOG"],
        os.environ.get("ABLATE_TEST_FAULT", ""),
        os.environ.get("ABLATE_TEST_STORE", ""),
    )
