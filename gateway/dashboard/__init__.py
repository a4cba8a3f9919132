"""The pages of the dashboard: files that a browser reads as they lie here. docs/dashboard.md says why."""
