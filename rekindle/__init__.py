"""The Python client, the `rekindle` command line, and the supervisor behind `make run`.

Knows the gateway by its HTTP API and the processes by their commands; imports contract, and no other role.
"""

from contract.version import version
from rekindle.client import AsyncClient, Client
from rekindle.errors import ApiError, GatewayUnreachableError, RekindleError

__version__ = version()

__all__ = ["ApiError", "AsyncClient", "Client", "GatewayUnreachableError", "RekindleError", "__version__"]
