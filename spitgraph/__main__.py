"""`python -m spitgraph`: the command line."""

from spitgraph.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
