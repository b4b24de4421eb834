"""What people say to a search: parameters, settings, filters, synonyms and rules, as data.

Nothing here touches an index or a socket: JSON in, frozen values out, and one error that says what
was wrong. The engine acts on the values, the server on the errors.
"""
