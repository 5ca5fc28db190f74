"""The stand-in provider against recordings of the official one, under the real engine."""
