"""The relay: a client on one side, a Realtime server on the other, and a conversation that outlives either connection.

Pure, like `core`: time is an argument, what is to be done is returned.  `server.relaying` does it.

- *Link*: one connection to an upstream, by a number that the session gives it.  One link is *live*; another may be
  *prepared* to take its place.
- *Place*: what a link leads to: an upstream's name, its shape, its limits, and the model that it was asked for.
- *Chronicle*: what the conversation has come to, in GA spelling: settings, items, audio not yet committed, and what the
  upstream was told and has not answered.  A new link is told the chronicle and then stands where the old one stood.
- *Bridge*: one side's spelling.  Events between are objects in GA spelling; frames that both sides spell alike are
  never looked into further than their type.
- *RelaySession*: the state machine over all of these.
"""
