"""Finished trials as runs of other systems: an export of the ledger, live or afterwards."""
