"""SIP: messages, session descriptions, transactions and dialogs as machines, without a socket or a clock."""
