"""The protocols: gRPC and REST, ports, TLS and health. Each translates requests for `Service`."""
