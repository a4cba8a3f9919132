"""Everything that can go wrong, in the words of the domain.

GatewayError
├── RequestError                    the caller sent something that cannot be used
│   ├── NotAPictureError            not decodable: empty, unknown format, truncated, corrupt
│   ├── UnsupportedTypeError        a Content-Type that is not accepted
│   ├── TooLargeError               more bytes, pixels or parts than the limits
│   ├── MalformedBodyError          broken multipart, no picture, text where a picture belongs
│   ├── InvalidParameterError       a parameter out of its range
│   ├── SlowBodyError               the body did not arrive in time
│   ├── UnknownModelError           no model of that name
│   ├── UnknownVersionError         no such version of the model
│   ├── UnknownNameError            nothing else of that name: a prediction, dataset, run, import …
│   ├── OtherRoleError              gateways of another role serve this
│   ├── KeyReusedError              an Idempotency-Key that belongs to another request
│   ├── KeyInUseError               an Idempotency-Key whose first request is still running
│   └── ConflictError               what is asked for contradicts what is
│       ├── NoEmbeddingError        the version that answers gives no embedding
│       ├── RunActiveError          the model has an active training run
│       └── BaseDataMissingError    the data that a run builds on is not there
├── AccessError                     the caller may not do this
│   ├── UnauthenticatedError        no token, or one that nobody has
│   ├── ForbiddenError              the role does not suffice
│   ├── ForeignOriginError          a write from a page of another site, or to another host's name
│   └── RateLimitedError            too many requests in this time
│       ├── RunBudgetError          the model has had its training runs for this day
│       └── RunCooldownError        the model's last training run ended a moment ago
├── OverloadedError                 the queue, the memory for bodies or the places are full
├── UnavailableError                nothing can answer now; later it may
│   ├── NoReplicaError              no model server can be reached
│   ├── NoVersionError              no version of the model is AVAILABLE
│   ├── DatabaseError               the database does not answer
│   └── LauncherError               a training run cannot be started, or asked about
├── DeadlineError                   the answer did not come before the deadline
├── ReplicaError                    one model server replica did not answer as it should
│   ├── ReplicaLostError            no connection, or it broke; another replica may do
│   ├── ReplicaSlowError            it did not answer within the time of one attempt
│   ├── VersionNotServedError       it does not hold the version
│   └── ReplicaRejectedError        it refused, or answered with, what cannot be right
├── StoreError                      a file of the model store cannot be used
│   ├── CardError                   model_card.json is missing or unreadable
│   ├── RolloutFileError            rollout.json is unreadable
│   └── DatasetStoreError           a picture of the dataset store cannot be written or read
└── ConfigurationError              the settings cannot work; the process does not start

Domain errors know neither HTTP nor gRPC: gateway.api.problems maps them outward, and
gateway.adapters.tfserving maps gRPC inward; both tables are tested for completeness.
"""

from __future__ import annotations


class GatewayError(Exception):
    """Base of all; the message quotes what arrived, what was expected and the way out."""


class RequestError(GatewayError):
    """The caller sent something that cannot be used."""


class NotAPictureError(RequestError):
    """The bytes cannot be decoded to a picture."""


class UnsupportedTypeError(RequestError):
    """The Content-Type is not accepted."""


class TooLargeError(RequestError):
    """More bytes, pixels or parts than the limits allow."""


class MalformedBodyError(RequestError):
    """The body does not have the announced form, or holds no picture."""


class InvalidParameterError(RequestError):
    """A parameter is out of its range."""


class SlowBodyError(RequestError):
    """The body did not arrive in time."""


class UnknownModelError(RequestError):
    """There is no model of that name."""


class UnknownVersionError(RequestError):
    """There is no such version of the model."""


class UnknownNameError(RequestError):
    """There is no prediction, picture, dataset, example, run, import or schedule of that name."""


class OtherRoleError(RequestError):
    """The route is there, but served by gateways of another role."""


class KeyReusedError(RequestError):
    """The Idempotency-Key belongs to a request that asked for something else."""


class KeyInUseError(RequestError):
    """The first request with this Idempotency-Key has no answer yet."""


class ConflictError(RequestError):
    """What is asked for contradicts the state that things are in."""


class NoEmbeddingError(ConflictError):
    """An embedding is asked for, and the version that answers gives none."""


class RunActiveError(ConflictError):
    """The model has an active training run."""


class BaseDataMissingError(ConflictError):
    """The data that a training run builds on is not there; the message has the command that fetches it."""


class AccessError(GatewayError):
    """The caller may not do this."""


class UnauthenticatedError(AccessError):
    """There is no token, or it is nobody's."""


class ForbiddenError(AccessError):
    """The caller's role does not suffice."""


class ForeignOriginError(AccessError):
    """A write that a page of another site asks for, or that is addressed to a name that is not ours."""


class RateLimitedError(AccessError):
    """The caller has sent too many requests in this time."""

    def __init__(self, message: str, retry_after_seconds: float) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class RunBudgetError(RateLimitedError):
    """The model has had as many training runs as it may have in 24 hours."""


class RunCooldownError(RateLimitedError):
    """The model's last training run ended too short a time ago."""


class OverloadedError(GatewayError):
    """The queue, the memory for request bodies, or the number of requests at once is full."""


class UnavailableError(GatewayError):
    """Nothing can answer now; later it may."""


class NoReplicaError(UnavailableError):
    """No model server can be reached."""


class NoVersionError(UnavailableError):
    """No version of the model is AVAILABLE."""


class DatabaseError(UnavailableError):
    """The database does not answer."""


class LauncherError(UnavailableError):
    """A training run cannot be started, cancelled or asked about."""


class DeadlineError(GatewayError):
    """The answer did not come before the deadline."""


class ReplicaError(GatewayError):
    """One model server replica did not answer as it should."""


class ReplicaLostError(ReplicaError):
    """There is no connection to the replica, or it broke."""


class ReplicaSlowError(ReplicaError):
    """The replica did not answer within the time of one attempt."""


class VersionNotServedError(ReplicaError):
    """The replica does not hold the version that was asked for."""


class ReplicaRejectedError(ReplicaError):
    """The replica refused what we built, or answered with what cannot be right."""


class StoreError(GatewayError):
    """A file of the model store cannot be used."""


class CardError(StoreError):
    """model_card.json is missing or unreadable: the gateway cannot know labels and picture size."""


class RolloutFileError(StoreError):
    """rollout.json is unreadable."""


class DatasetStoreError(StoreError):
    """A file of the dataset store cannot be written, moved or read, e.g. because the disk is full."""


class ConfigurationError(GatewayError):
    """The settings cannot work; the process does not start."""
