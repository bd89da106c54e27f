"""A short multitrack song from code alone: the check that an install works, and the data of the tests."""
