"""Google's Agent Development Kit.

The output that it tells of Gemini leaves out the thoughts; the model's answer, as JSON with the provider's own usage,
has them, unless the content of messages is not captured. Recorded: 1.14.1 and 2.13.0.
"""

from llmlab_exporter.call import Reading
from llmlab_exporter.dialect import Dialect
from llmlab_exporter.reading import conventions, spellings
from llmlab_exporter.reading.answers import read_answer
from llmlab_exporter.reading.counts import completed
from llmlab_exporter.reading.values import text
from llmlab_exporter.span import RawSpan, Scope

_ANSWER = "gcp.vertex.agent.llm_response"
_SESSION = "gcp.vertex.agent.session_id"
_CALL = "call_llm"


def read(span: RawSpan, _scope: Scope) -> Reading | None:
    """Read one span."""
    said = span.attributes
    reading = spellings.read(span)
    if reading is None:
        return None
    if span.name == _CALL and not reading.operation:
        reading = reading._replace(operation="chat", billable=not reading.error or reading.billable)
    answer = read_answer(said.get(_ANSWER))
    native = answer.counts
    if native.usage.known and not native.flaws:
        reading = reading._replace(usage=completed(native.usage, reading.usage), usage_source="reported")
    return reading._replace(
        finish_reason=reading.finish_reason or answer.finish,
        session=reading.session or text(said.get(_SESSION)),
    )


DIALECT = Dialect(
    name="google_adk",
    scopes=("gcp.vertex.agent",),
    markers=(_ANSWER,),
    rank=50,
    needles=(conventions.NEEDLE,),
    attributes=(*spellings.ATTRIBUTES, _ANSWER, _SESSION),
    read=read,
)
