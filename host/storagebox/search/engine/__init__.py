"""The engine: one index's records, found as Algolia ranks them.

What decides what, in the order of a record's and then of a search's way:

changes.py batch.py store.py   tantivy keeps records, settings and all; a commit is all or nothing
text.py layout.py     text to words; a record's row in the tables, by the index's settings
part.py ragged.py     the tables: columns, postings
tail.py build.py      what came since they were built; building them anew
snapshot.py index.py  the tables at one moment; the whole, behind one class

phrases.py synonyms.py meaning.py   a query's text; what its words can mean
vocabulary.py typos.py   all words; which are a few typos from one
compounds.py             words that are written as one, taken apart
slots.py grades.py       which words of the index will do for one of the query, and how well
candidates.py            which rows match, from postings in memory
filtering.py geo.py      filters; places
matching.py              everything that matches, from all of these
places.py closeness.py   where in a record words stand, and what that is worth
tiebreak.py ordering.py  the best of what matches, criterion by criterion
relevant.py              what a virtual replica shows of it, sorted its own way
distinct.py promotion.py facets.py facet_search.py browse.py   what else can be asked for
shape.py highlight.py snippet.py   what matched, shown in the record's shape
search.py answer.py      one search from text to answer; the answer's shape
"""
