"""The REST endpoints beside the Realtime sockets, as OpenAI's clients use them.

| module | noun |
|---|---|
| `desk` | `Desk`: what all endpoints share, and the room for requests at a time |
| `till` | `Till`: what requests cost the keys that make them |
| `http` | requests read within bounds, and `Streamed`: a response that is made while it is sent |
| `speech` | `/v1/audio/speech` |
| `transcriptions` | `/v1/audio/transcriptions` and `/v1/audio/translations` |
| `wanted`, `transcripts` | what is asked of a recording, and the forms in which it is told |
| `completions` | `/v1/chat/completions` |
| `chat_prompt`, `completion` | a chat read as a prompt, and the answer told in chunks or as a whole |
| `metering` | `Meter`: what a chat takes that is answered elsewhere |
| `client_secrets` | keys for browsers: `/v1/realtime/client_secrets`, and `sessions` as the beta had them |
| `routes` | which of them answers where |
"""
