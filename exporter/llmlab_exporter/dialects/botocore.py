"""Bedrock through the AWS SDKs, by OpenTelemetry's own instrumentations and by ADOT, which builds on them.

They hand on what Bedrock says: cached tokens beside the input, against the conventions. Recorded: botocore 0.66b2.
"""

from llmlab_exporter.call import Reading
from llmlab_exporter.dialect import Dialect
from llmlab_exporter.reading import conventions, spellings
from llmlab_exporter.span import RawSpan, Scope


def read(span: RawSpan, _scope: Scope) -> Reading | None:
    """Read one span."""
    reading = spellings.read(span)
    return reading and spellings.with_exclusive_input(reading)


DIALECT = Dialect(
    name="botocore",
    scopes=(
        "opentelemetry.instrumentation.botocore",
        "@opentelemetry/instrumentation-aws-sdk",
        "amazon.opentelemetry.distro",
    ),
    needles=(conventions.NEEDLE,),
    attributes=spellings.ATTRIBUTES,
    read=read,
)
