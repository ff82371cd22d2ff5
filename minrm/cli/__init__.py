"""The command line: `minrm sample · prepare · train · score · evaluate`, a file a command."""
