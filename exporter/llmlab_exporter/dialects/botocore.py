"""Bedrock through the AWS SDKs, by OpenTelemetry's own instrumentations and by ADOT, which builds on them.

They hand on what Bedrock says: cached tokens beside the input, against the conventions; of `InvokeModel` they say
nothing of the cache. Recorded: botocore 0.66b2.
"""

from llmlab_exporter.call import Reading
from llmlab_exporter.dialect import Dialect
from llmlab_exporter.reading import conventions, doubts, spellings
from llmlab_exporter.span import RawSpan, Scope


def read(span: RawSpan, _scope: Scope) -> Reading | None:
    """Read one span."""
    reading = spellings.read(span)
    return reading and doubts.with_untold_cache(doubts.with_exclusive_input(reading), span.attributes)


DIALECT = Dialect(
    name="botocore",
    scopes=(
        "opentelemetry.instrumentation.botocore",
        "@opentelemetry/instrumentation-aws-sdk",
        "amazon.opentelemetry.distro",
        "io.opentelemetry.aws-sdk",
    ),
    needles=(conventions.NEEDLE,),
    attributes=spellings.ATTRIBUTES,
    read=read,
)
