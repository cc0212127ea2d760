"""What happened: the funnel, the queue, and how they are shown."""
