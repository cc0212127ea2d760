"""Where candidates come from: pages out of WARC files, crawled sites, tables of URLs."""
