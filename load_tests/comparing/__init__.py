"""One to three replicas under several loads: the plan, what was found, and its files."""
