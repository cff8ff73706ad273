"""`edgecnn serve`: a page, an inference server and metrics for one model. Needs the extra `serve`.

A request goes this way: `connections` bounds its bytes and its time, `access` says who may ask, `application` finds
the function of its path, `inference` or `pictures` answer in a thread of the `pool`, with the model that `model` holds.
Every refusal is a `RefusalError`: one status, one reason.
"""
