"""``python -m lesionmap`` is the command line."""

from lesionmap.cli import main

if __name__ == "__main__":
    main()
