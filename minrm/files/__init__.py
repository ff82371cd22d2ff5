"""Files that survive kills and second writers: lines of JSON, files written whole, files and records of long runs."""
