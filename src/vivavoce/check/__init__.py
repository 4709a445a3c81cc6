"""A conformance checker for any Realtime server.

| module | noun |
|---|---|
| `order`, `answers` | `Order`: in which order a server may say things |
| `fields` | what each server event must carry |
"""
