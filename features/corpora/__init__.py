"""Which speech there is: corpora, their utterances and labels, and who is held out together."""
