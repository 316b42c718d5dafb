"""What people and programs ask the exporter over HTTP, on the same port as OTLP.

`costs.py` answers about money, `health.py` about the exporter, `exact_json.py` writes money without rounding it.
"""
