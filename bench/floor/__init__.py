"""A program that shows the cost of the engine alone."""
