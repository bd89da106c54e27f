"""`python -m htdemucs_n`: the command line, for launchers that start modules."""

from htdemucs_n.cli.main import main

main()
