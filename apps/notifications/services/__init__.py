"""What is done to send word to people. One file a kind of message."""
