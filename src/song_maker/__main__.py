"""`python -m song_maker`."""

from song_maker.cli import main

main()
