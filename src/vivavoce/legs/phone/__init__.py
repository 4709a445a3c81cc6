"""The telephone: SIP on the network, and the calls that come of it."""
