"""`python -m softmaxclf` and the `softmaxclf` command."""

from softmaxclf.cli.main import main

if __name__ == "__main__":
    main()
