"""The page at `/` of `tfclf serve`: type a text, see what the model says.

    routes         the files of `files/` and /page/models.json, as routes of the REST port
    pieces         the pieces of token ids, as a route: /page/pieces.json
    models         what the page needs to know of the models that are served

The page's own code is in `files/`: HTML, CSS and ES modules, sent as they are. Its requests go to
TF Serving's REST paths, as any client's do.
"""
