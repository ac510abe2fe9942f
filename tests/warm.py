"""Imports everything that commands import, early or late: from then on, a fork costs no import."""

import importlib

MODULES = (
    "features.descriptors.extraction",
    "features.descriptors.opensmile_engine",
    "matplotlib.figure",
    "model.network.layers.edges",
    "optuna",
    "orchestrator.cli.app",
    "orchestrator.execution.run",
    "orchestrator.execution.worker.worker",
    "orchestrator.report.figures.canvas",
    "orchestrator.report.tables.text",
    "orchestrator.report.terminal.live",
    "pyarrow.ipc",
    "pyarrow.parquet",
    "s3fs",
    "scipy.stats",
    "torch._dynamo",  # torch's optimiser asks for it at its first step
)

for name in MODULES:
    importlib.import_module(name)
