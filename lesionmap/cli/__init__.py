"""The command line: it parses, calls the core and prints. Exit codes: 0 done, 1 data or request wrong, 2 usage."""

from lesionmap.cli.app import main

__all__ = ["main"]
