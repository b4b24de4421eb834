"""How loaded a server is: a measure a module. How to choose by that is a picker's question.

    in_flight   this client's requests there that haven't ended
    peak_ewma   what they take lately, times those
    reported    what the server says of itself: requests in flight, capacity

A server that fails at once looks idle and fast by every one of these, and would attract all
requests (*sinkholing*), so each counts failures as load.
"""
