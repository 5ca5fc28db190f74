"""The tool that brings the engine, on machines that have this and lack that."""
