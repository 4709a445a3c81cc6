"""Dialects: how events are written on one wire.  GA and beta spell the same events; nothing else differs.

`decode(bytes) -> ClientEvent` raises `ProtocolError` with the protocol's own words; `encode(ServerEvent) ->
list[bytes]` returns the messages that tell it, none where a shape has no word for an event.
"""
