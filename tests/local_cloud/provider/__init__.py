"""The stand-in provider against what the official one was recorded to do, under the real engine."""
