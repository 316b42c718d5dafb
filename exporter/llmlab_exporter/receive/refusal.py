"""Why a request is not accepted, and how OTLP says so.

    Refusal
    +-- Malformed          400 / INVALID_ARGUMENT       cannot be read; final
    +-- UnsupportedMedia   415 / INVALID_ARGUMENT       wrong content type or encoding; final
    +-- TooLarge           413 / RESOURCE_EXHAUSTED     over the size limit; final
    +-- CutOff                 / RESOURCE_EXHAUSTED     over twice the limit, or not sent to its end; final
    +-- Busy               503 / UNAVAILABLE            no room now; try again in a second
        +-- DiskFull       503 / UNAVAILABLE            the disk is nearly full; try again in a second
        +-- LedgerFailing  503 / UNAVAILABLE            the disk does not take the commit; try again in a second
        +-- Draining       503 / UNAVAILABLE            shutting down; try again in a second

Temporary refusals are always 503 with `Retry-After` and UNAVAILABLE with `RetryInfo`: senders drop their data on 500,
some older ones on 429, and the Python SDK on hints of more than ten seconds (OTLP specification 1.9, "Failures").
"""

import grpc

RETRY_AFTER_S = 1


class Refusal(Exception):
    """A request that is not accepted. The message names the value and the remedy."""

    reason = ""
    """Label of the counter."""
    http_status = 400
    grpc_status = grpc.StatusCode.INVALID_ARGUMENT
    retry_after_s: int | None = None


class Malformed(Refusal):
    """The body is not what its content type says."""

    reason = "malformed"


class UnsupportedMedia(Refusal):
    """A content type or encoding that OTLP does not have."""

    reason = "unsupported_media"
    http_status = 415


class TooLarge(Refusal):
    """The body, before or after decompression, is over the limit."""

    reason = "too_large"
    http_status = 413
    grpc_status = grpc.StatusCode.RESOURCE_EXHAUSTED


class CutOff(Refusal):
    """A gRPC message that the library gave up on, and has answered: it is over its limit, or it ends too early."""

    reason = "cut_off"
    http_status = 413
    grpc_status = grpc.StatusCode.RESOURCE_EXHAUSTED


class Busy(Refusal):
    """There is no room for the request at the moment."""

    reason = "busy"
    http_status = 503
    grpc_status = grpc.StatusCode.UNAVAILABLE
    retry_after_s = RETRY_AFTER_S


class DiskFull(Busy):
    """The disk that holds the ledger has next to no room left."""

    reason = "disk_full"


class LedgerFailing(Busy):
    """The disk does not take the commit: full, or failing."""

    reason = "ledger"


class Draining(Busy):
    """The exporter is shutting down; another one may answer in a moment."""

    reason = "draining"
