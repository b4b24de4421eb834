"""The search API over HTTP (docs/search-api.md).

app.py          all routes, as one ASGI application; routes.py: what answers which
endpoint.py     a request from its headers to its answer: admitted, answered, logged
call.py         a request that was admitted, as what answers it sees it
body.py         what a client sent, read
compression.py  bodies packed and unpacked
credentials.py  who asks; secured.py: keys that clients made; grants.py: what a key may do
tenant.py       an application as it is served: what it has cached, waits for and has used up
ruling.py       an index's rules, ready to be applied
turns.py        whose search is next
rates.py        how often somebody may ask
recent.py       the latest requests, for GET /1/logs
resources/      a module for each thing the API is about
served.py       which applications of a folder
connections.py  a client's connection, and how long it may take to ask
serving.py      the process: sockets, signals, the end
"""
