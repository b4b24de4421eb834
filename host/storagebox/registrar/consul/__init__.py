"""Consul's HTTP API and DNS, as far as clients of service discovery use them (docs/consul.md).

    requests → agent (this node: rules, checks, maintenance) → catalog (all nodes: what is read)
                                                                  ↓           ↓
                                             http (answers, filters, blocking)  dns (SRV, A)

`definitions` are what is registered; `catalog` and `agent` are state alone and take `now`;
`probing` and `serving` have the sockets and the clock.
"""
