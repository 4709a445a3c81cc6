"""RTP: packets, reception reports and telephone keys, without a socket or a clock."""
