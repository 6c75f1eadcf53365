"""What the site has beside the Markdown files of docs/: pages made from the cards, the command line and docstrings.

`hooks` is what MkDocs calls; the other modules make Markdown of data and know nothing of MkDocs.
"""
