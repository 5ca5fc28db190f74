"""Real clients of Cloudflare's API, pinned, against the local cloud: wrangler, the official SDK, curl."""
