"""One reader per corpus.

A module here is named as its folder under ``egs/`` and has a function
``read(db_root, nj, ...) -> Corpus``, whose further arguments become options of
stage 1; ``silvertalk.bin.corpus_prepare`` finds it by name. One whose corpus
may be fetched from its own site also has ``download(db_root, ...)``, which is
called before, with those of the same options that it takes.
"""
