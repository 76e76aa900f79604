"""The request surface of the services, pure too."""
