"""How requests come in: gRPC and REST, their ports, TLS and health; each only translates for `Service`."""
