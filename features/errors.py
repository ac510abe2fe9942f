"""The errors of this package.

Every message is one sentence with the place, the value and the remedy.
The command line maps each kind to an exit code (2 request, 3 environment, 4 damage).
"""


class FeatureError(Exception):
    """Base of all errors of this package."""


class CorpusError(FeatureError):
    """The request is wrong: a name is unknown, or folder, labels or speakers do not fit it."""


class MissingError(FeatureError):
    """The environment lacks something: a corpus's folder, a built shard, a package, a library."""


class ShardDamageError(FeatureError):
    """A shard, record or audio file is damaged, changed or unreadable: nothing trains on it."""
