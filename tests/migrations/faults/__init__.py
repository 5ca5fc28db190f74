"""What has to survive, case by case, on the local cloud with its real faults: docs/faults.md lists them."""
