"""The generated pages of the site: cards, command line, docstrings.

MkDocs calls `hooks`; the other modules turn data into Markdown and do not know MkDocs.
"""
