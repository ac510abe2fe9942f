"""The errors of this package.

Every message is one sentence with the place, the value and the remedy.
The command line maps each kind to an exit code (2 request, 3 environment, 4 damage).
"""


class FeatureError(Exception):
    """Base of all errors of this package."""


class CorpusError(FeatureError):
    """The folder, the labels or the speakers are not what was asked for: a wrong request."""


class MissingError(FeatureError):
    """The environment lacks something: a corpus, a package, a library."""


class ShardDamageError(FeatureError):
    """A file is not what it was when it was written: nothing is trained on it."""
