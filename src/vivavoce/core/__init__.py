"""The pure heart: a session as a state machine, and the nouns it is made of.

Nouns: Event, Item, Conversation, InputBuffer, Turn, Response, Session, Effect, Report (see `docs/architecture.md`).
Nothing here knows clocks, threads, sockets or JSON: time and ids are arguments, and what is to be done is returned.
"""
