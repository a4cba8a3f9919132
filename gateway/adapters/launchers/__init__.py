"""Who carries training runs out: a child process, a standing watcher, or a Kubernetes Job."""
