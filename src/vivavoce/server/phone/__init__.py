"""The telephone of a server: who answers which call, how a call is held, and what is kept of it."""
