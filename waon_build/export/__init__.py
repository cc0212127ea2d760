"""What training reads: accepted pairs as WebDataset shards, split by cluster, that anyone can check.

`release.export` writes a release, `verify.verify` re-reads one. Nothing here asks the annotation
database or another stage: what natives accepted is handed in.
"""
