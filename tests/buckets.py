"""Buckets of the S3 server that tests start, and stores in them."""

from pathlib import Path

from orchestrator.store.ledger import Ledger


def environment(server: str, cache: Path) -> dict[str, str]:
    """The variables by which a process finds the server, and keeps what it fetches.

    Args:
        server: its address.
        cache: the folder of what is fetched.
    """
    return {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": server,
        "XDG_CACHE_HOME": str(cache),
    }


def copied_to(uri: str, store: Path) -> Ledger:
    """A folder's records, studies and shards, file by file in a bucket; corpora stay behind.

    Args:
        uri: ``s3://BUCKET/PATH``.
        store: the folder.
    """
    ledger = Ledger.open(uri)
    for name in ("trials", "studies", "shards", "selections"):
        for path in sorted((store / name).rglob("*")):
            if path.is_file():
                to = ledger.root / path.relative_to(store).as_posix()
                to.write_bytes(path.read_bytes())
    return ledger
