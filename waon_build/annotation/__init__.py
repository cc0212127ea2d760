"""Who says so: tasks, leases, annotations and decisions, in one SQL database."""
