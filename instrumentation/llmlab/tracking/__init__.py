"""How calls get out of the application that it reports itself (`sdk.py`) or tracks (`track.py`).

`delivery.py` decides which of the `deliveries.py` takes them: as spans through OpenTelemetry's SDK (`pipelines.py`), or
one by one to the exporter's API (`event_queue.py`). The other modules see to it that a block counts each call once.
"""
