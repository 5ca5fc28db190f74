"""The real engine: hooks, the gate, failures and retries."""
