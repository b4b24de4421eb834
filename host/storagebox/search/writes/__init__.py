"""Writes: accepted, kept in an ordered log, applied, visible (docs/search-writes.md).

accepting.py     the API's bodies as operations; what can be refused is refused here
operations.py    what can be written, as the log holds it
chunks.py        an operation as records of a log
log.py           the log, for threads
applying.py      the thread that applies it
state.py         entry by entry: records, settings, synonyms, rules
structure.py     copies, moves, deletions and replicas of indices
pending.py       what waits for the next commit; partial.py: what an update comes to
indices.py       the folders of indices
catalog.py       which indices there are; keys.py: the API keys
snapshots.py     copies to make an index anew; rebuild.py: how
admission.py     room, quotas, and whether it can be done as things are
tasks.py         what is acknowledged, applied, waited for
application.py   one tenant; applications.py: many
"""
