"""`edgecnn serve`: a page, an inference server and metrics for one model. Needs the extra `serve`.

`command` reads the options, and `server` is uvicorn until a signal comes. A request goes this way: `connections` bounds
its bytes and its time, `access` says who may ask, and `application` has the paths: `pictures` and `protocol` answer in
a thread of the `pool`, with the model that `model` holds. Every refusal is a `RefusalError`: one status, one reason.
"""
