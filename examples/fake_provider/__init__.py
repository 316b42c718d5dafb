"""A stand-in for LLM providers on the wire: real SDKs talk to it, and it keeps the books that prices are checked by."""
