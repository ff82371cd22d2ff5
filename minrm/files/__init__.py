"""Files: lines of JSON, files of runs that survive kills, and whether a checkpoint is what its config says."""
