"""The policy file: finding and reading it, and the command line that checks it and explains what it would do."""
