"""The command line, thin: options and printing. What it does is in the other packages."""
