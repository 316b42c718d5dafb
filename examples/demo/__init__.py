"""The whole way on one machine: provider, application, exporter, command line."""
