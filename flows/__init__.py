"""The flows that people run and schedule, on Prefect. What they run is in `waon_build.pipeline`."""

import os

# Set before Prefect is first imported. Nothing that we start phones home; and Prefect's own temporary server
# takes 10 to 20 s to start on a fresh machine (measured), longer on a busy one, where it would give up after 20.
os.environ.setdefault("DO_NOT_TRACK", "1")
os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS", "180")
