"""What ``crane import-wrangler`` makes of the files of wrangler."""
