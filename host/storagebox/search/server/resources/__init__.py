"""What the API is about, a module each: handlers of calls, see routes.py for their paths."""
