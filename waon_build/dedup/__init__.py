"""What is the same picture: exact near-duplicate search, clusters, canonical members."""
