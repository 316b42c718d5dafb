"""The commands of the `server` extra: `llmlab up` and `llmlab inspect`."""
