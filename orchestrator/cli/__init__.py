"""The command line, one noun a file: parse, call one function, print."""
