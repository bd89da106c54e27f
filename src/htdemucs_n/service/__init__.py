"""Separation as a service over HTTP: a library of separated songs, a queue, and the API (extra `studio`)."""
