"""The command line: one thin file a verb, that parses, calls and prints."""
