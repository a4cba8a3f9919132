"""What the outside sees: gRPC, REST, their servers and their encodings."""
