"""Where spans come from, as their resource says it."""

from collections.abc import Mapping
from typing import NamedTuple

from llmlab import semconv
from llmlab_exporter.reading.values import text
from llmlab_exporter.span import Attributes

_SERVICE = "service.name"
_ENVIRONMENT = "deployment.environment.name"
_OLD_ENVIRONMENT = "deployment.environment"

_TAGS = {
    semconv.FEATURE: "feature",
    semconv.USER: "user",
    semconv.RUN: "run",
    semconv.SESSION: "session",
}
"""By attribute, the field of `Reading` that it sets."""

KEYS = (semconv.ORG, semconv.PROJECT, _SERVICE, _ENVIRONMENT, _OLD_ENVIRONMENT, *_TAGS)
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
    tags: Mapping[str, str]
    """What holds for each call that does not say otherwise, by the fields of `Reading`."""


def origin_of(resource: Attributes, defaults: Defaults) -> Origin:
    """Read the origin off a resource."""
    said = resource.get
    return Origin(
        org=text(said(semconv.ORG)) or defaults.org,
        project=text(said(semconv.PROJECT)) or defaults.project,
        service=text(said(_SERVICE)) or defaults.service,
        environment=text(said(_ENVIRONMENT)) or text(said(_OLD_ENVIRONMENT)) or defaults.environment,
        tags={field: found for key, field in _TAGS.items() if (found := text(said(key)))},
    )
