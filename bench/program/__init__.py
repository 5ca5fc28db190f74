"""The program whose releases and previews are measured."""
