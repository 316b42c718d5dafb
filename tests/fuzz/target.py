"""One input of the fuzzer, taken through everything that happens to a request before the disk: decoded, normalised,
deduplicated, priced, summed up, and turned into rows."""

from llmlab.pricing.pricer import Pricer
from llmlab_exporter.assess import assess
from llmlab_exporter.batch import batch
from llmlab_exporter.decode import JSON, PROTOBUF, MalformedRequest, decode
from llmlab_exporter.dialects import WANTED
from llmlab_exporter.normalise import normalise

_pricer = Pricer()


def take(data: bytes) -> bool:
    """Take an input, whose first byte says whether it is JSON. False when the request was refused as a whole.

    Whatever else it raises is a bug.
    """
    content_type = JSON if data[:1] == b"{" else PROTOBUF
    body = data if content_type == JSON else data[1:]
    try:
        decoded = decode(body, content_type, WANTED)
    except MalformedRequest:
        return False
    spans = sum(len(group.spans) for group in decoded.groups)
    intake = normalise(decoded)
    prepared = batch(assess(intake.calls, _pricer))
    told = len(intake.calls) + intake.ignored + sum(intake.rejected.values())
    assert told == spans + decoded.skipped + len(decoded.broken), "a span is missing from what the sender is told"
    assert prepared.entry.rows == len(intake.calls), "a call is missing from the rows"
    for line in prepared.lines:
        cost = line.priced.cost_yocto
        assert cost is None or cost >= 0, f"a cost of {cost}"
        assert cost is None or line.call.reading.billable, "a cost for what is not billed"
    return True
