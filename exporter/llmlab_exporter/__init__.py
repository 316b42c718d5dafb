"""The OTLP processor: receive -> normalise -> price -> commit -> count. `pipeline.py` reads as the picture."""
