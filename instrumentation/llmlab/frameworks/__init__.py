"""What is particular to frameworks that call SDKs, one module each. `llmlab.providers` says which functions to wrap."""
