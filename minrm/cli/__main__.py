"""`python -m minrm.cli`, which `accelerate launch` starts."""

from minrm.cli.app import main

if __name__ == "__main__":
    main()
