"""A client's session with the scheduler: what to say next and what to make of the answers. No input or output here."""
