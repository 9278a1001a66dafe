"""`python -m spitgraph`: the command line."""

from spitgraph.cli import program

if __name__ == "__main__":
    program()
