"""The program that shows the engine's own cost."""
