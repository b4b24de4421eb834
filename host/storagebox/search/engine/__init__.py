"""The engine: one index's records, found as Algolia ranks them.

What decides what:

store.py        tantivy keeps records, settings, synonyms and rules; a commit is all or nothing
layout.py       a record's row in the tables, by the index's settings
text.py         text to words
part.py tail.py build.py   the tables: columns, postings, what came since; built anew at times
vocabulary.py   all words; tantivy's automata find those a few typos away
meaning.py      what a query's words can mean
candidates.py   which rows match, from postings in memory
tiebreak.py     which are best, criterion by criterion; closeness.py is where words stand
filtering.py highlight.py answer.py   filters; what matched, shown; the answer's shape
index.py        the whole, behind one class
"""
