"""HTTP in and out: one small file per resource. Nothing below this package knows HTTP."""

import sys

# FastAPI looks for models of pydantic 1, to refuse them, and loads pydantic's copy of it for that alone:
# 1.6 MB of every gateway. None here means to Python, and so to FastAPI, that there is no such module.
sys.modules.setdefault("pydantic.v1", None)  # type: ignore[arg-type]
