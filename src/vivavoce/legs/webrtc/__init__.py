"""WebRTC: one UDP port for all calls, and browsers that talk by it."""
