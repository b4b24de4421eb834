"""Experiments: the balancer that ships, among simulated clients and servers, or real ones.

    arrivals ─▶ clients, each with a Balancer ─▶ servers ─▶ trace ─▶ summary ─▶ table, plot, JSON

Only time, the network and the work are made up. Policies and health are those that a program uses,
called with the simulated time. Nothing outside this package needs numpy or matplotlib.
"""
