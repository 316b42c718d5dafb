"""Where spans come from, as their resource says it."""

from typing import NamedTuple

from llmlab import semconv
from llmlab_exporter.reading.values import text
from llmlab_exporter.span import Attributes

_SERVICE = "service.name"
_ENVIRONMENT = "deployment.environment.name"
_OLD_ENVIRONMENT = "deployment.environment"

KEYS = (semconv.ORG, semconv.PROJECT, _SERVICE, _ENVIRONMENT, _OLD_ENVIRONMENT)
"""The resource attributes that are looked at."""


class Defaults(NamedTuple):
    """What a resource belongs to when it does not say so itself."""

    org: str = "default"
    project: str = "default"
    service: str = "unknown_service"
    """As OpenTelemetry's SDKs call a service without a name."""
    environment: str = "default"


class Origin(NamedTuple):
    """Where spans come from."""

    org: str
    project: str
    service: str
    environment: str


def origin_of(resource: Attributes, defaults: Defaults) -> Origin:
    """Read the origin off a resource."""
    said = resource.get
    return Origin(
        org=text(said(semconv.ORG)) or defaults.org,
        project=text(said(semconv.PROJECT)) or defaults.project,
        service=text(said(_SERVICE)) or defaults.service,
        environment=text(said(_ENVIRONMENT)) or text(said(_OLD_ENVIRONMENT)) or defaults.environment,
    )
