"""SIP: messages, session descriptions, transactions and dialogs as machines, without a socket or a clock.

Nouns, from the wire inwards: `Request` and `Response` (`message`, `parsing`), what is in their headers (`headers`,
`extensions`, `uri`, `digest`), `Transactions` (`transactions`, `matching`), `Dialog` (`dialogs`) and what goes on in
it, `Usage`, with its `Offers`, `Referrals` and `SessionTimer`; `IncomingCall` and `OutgoingCall`; `Registration` and
`Probes`; `Admission` and `Reception`, which decide before anything is remembered; `Agent`, which has them all, and the
`effects` that it returns.  `sdp`, `codecs`, `sdes` and `negotiation` are about what the calls carry.
"""
