"""Tables and views of what the ledger holds. The only room that knows Rich."""
