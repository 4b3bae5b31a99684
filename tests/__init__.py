"""The tests; see README.md in this folder for what goes where."""
