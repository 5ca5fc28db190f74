"""Tests of the local cloud, through HTTP and the official SDK."""
