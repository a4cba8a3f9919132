"""HTTP in and out: one small file per resource. Nothing below this package knows HTTP."""
