"""The doors: OTLP over gRPC and HTTP, in front of the same pipeline.

`refusal.py` says what a sender is told and whether it may try again, `body.py` bounds what is read, `admission.py`
bounds what is held.
"""
