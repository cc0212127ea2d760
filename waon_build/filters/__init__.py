"""Why a candidate is dropped: text rules before any download, image rules after it."""
