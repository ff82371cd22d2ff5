"""Files that users bring and runs leave: lines of JSON, files of runs, and whether a checkpoint is what its config says."""
