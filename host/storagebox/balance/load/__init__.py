"""How loaded a server is: a measure a module. How to choose by that is a picker's question.

    in_flight       this client's requests there that haven't ended
    peak_ewma       what they take lately, times those
    reported        the server's requests in flight, of all clients, as it says itself
    capacity        what it can do, learnt from what it says
    expected_wait   the third over the fourth

A server that fails at once looks idle and fast by every one of these, and would attract all
requests (*sinkholing*), so each counts failures as load.
"""
