"""Clients that use a balancer: one line in the program that has requests to send.

What a request needs beside the balancer is the same for every client library and lives in
`attempts`; each module here is one library's way to send.
"""
