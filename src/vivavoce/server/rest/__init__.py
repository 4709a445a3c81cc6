"""The REST endpoints beside the Realtime sockets, as OpenAI's clients use them.

| module | noun |
|---|---|
| `desk` | `Desk`: what all endpoints share, and the room for requests at a time |
| `http` | requests read within bounds, and `Streamed`: a response that is made while it is sent |
| `speech` | `/v1/audio/speech` |
| `transcriptions` | `/v1/audio/transcriptions` and `/v1/audio/translations` |
| `completions` | `/v1/chat/completions` |
| `routes` | which of them answers where |
"""
