"""What a call costs, given all that is known of it: the kernel's `Pricer`, and when not to ask it."""

from llmlab.money import yocto
from llmlab.pricing import Priced
from llmlab.pricing.pricer import Pricer
from llmlab_exporter.call import Call, Reading

_AZURE = "azure."


def price(call: Call, pricer: Pricer) -> Priced:
    """Price one call at the moment it ended.

    What the provider itself said it costs goes before any computation; what another instrumentation computed does
    not count at all. What must not be priced has no cost, and a reason.
    """
    reading = call.reading
    if not reading.billable:
        return Priced(None, "none", "not_billable", f"{reading.operation or 'this span'} is not billed by itself")
    if reading.provider_cost is not None:
        return Priced(yocto(reading.provider_cost), "provider")
    if reading.usage_spoiled:
        return Priced(None, "none", "no_usage", "; ".join(reading.flaws))
    models, deployment = _names(call)
    priced = pricer.price(
        call.provider,
        models,
        reading.usage,
        call.end_ns,
        tier=reading.tier,
        batch=reading.batch,
        project=call.project,
        deployment=deployment,
    )
    return _doubted(priced, reading)


def _names(call: Call) -> tuple[tuple[str, ...], str]:
    """Return the models to look up, the served one first, and the deployment.

    What one asks Azure for is a deployment, whose name says nothing of the model behind it, except to its owner.
    """
    reading = call.reading
    if call.provider.startswith(_AZURE):
        return (reading.response_model,), reading.request_model
    return (reading.response_model, reading.request_model), ""


def _doubted(priced: Priced, reading: Reading) -> Priced:
    """A cost is no better than the usage it was computed from; without any, it did not depend on it."""
    if priced.cost_yocto is None or reading.usage_source in {"reported", None}:
        return priced
    detail = f"the usage is {reading.usage_source}" + (f"; {priced.detail}" if priced.detail else "")
    return priced._replace(source="estimated", detail=detail)
