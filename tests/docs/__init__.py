"""What the documents show and say, against the program."""
