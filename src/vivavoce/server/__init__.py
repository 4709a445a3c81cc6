"""The server: the shell around sessions.

An *admission* decides who comes in, the *hybrid* protocol turns a connection into a leg, a *switchboard* gives the leg
to a *call*, and a call holds one session at work.  `serve` puts them together with the HTTP routes of `app`.
"""
