"""The local cloud: the part of Cloudflare's REST API that crane-infra, wrangler and the official SDK call, over real workerd and D1.

It is a separate server. Product code reaches it through a base URL and never asks whether it talks to the local cloud.
"""
