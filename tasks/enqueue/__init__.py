"""A promise is made: everything between a call in the program and a message on its way."""
