"""The six dashboards as values: one module each, and what they share."""
