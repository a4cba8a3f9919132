"""GKE's own kinds, whose schemas can be fetched from no registry: the fields that we use, closed.

From Google's pages that each names; a field beyond them is an error here, so that a typo is one too.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict


class Closed(BaseModel):
    """Refuses a name that it does not know."""

    model_config = ConfigDict(extra="forbid")


class HealthCheck(Closed):
    """https://cloud.google.com/kubernetes-engine/docs/how-to/ingress-configuration."""

    type: Literal["HTTP"]
    requestPath: str  # noqa: N815
    port: int


class Draining(Closed):
    """The same page."""

    drainingTimeoutSec: int  # noqa: N815


class Backend(Closed):
    """The same page: BackendConfig."""

    healthCheck: HealthCheck  # noqa: N815
    timeoutSec: int  # noqa: N815
    connectionDraining: Draining  # noqa: N815


class Redirect(Closed):
    """The same page."""

    enabled: bool


class Frontend(Closed):
    """The same page: FrontendConfig."""

    redirectToHttps: Redirect  # noqa: N815


class Certificate(Closed):
    """https://cloud.google.com/kubernetes-engine/docs/how-to/managed-certs."""

    domains: list[str]


MODELS: dict[tuple[str, str], type[Closed]] = {
    ("cloud.google.com/v1", "BackendConfig"): Backend,
    ("networking.gke.io/v1beta1", "FrontendConfig"): Frontend,
    ("networking.gke.io/v1", "ManagedCertificate"): Certificate,
}
