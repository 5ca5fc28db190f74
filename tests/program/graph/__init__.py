"""What the program declares, seen through Pulumi's own mocks."""
