"""Where both environments stand, and what happened to them: values, texts and a page. Pure: asks neither Pulumi nor Cloudflare."""
