"""Media streams: telephone calls that a provider or a PBX brings over a WebSocket or a TCP connection."""
