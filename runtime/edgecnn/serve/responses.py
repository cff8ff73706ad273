"""A document as a response."""

import json
from typing import Any

from starlette.responses import Response

from edgecnn.escape import for_json


def json_response(document: Any) -> Response:
    """A document as JSON."""
    text = for_json(json.dumps(document, ensure_ascii=True))
    return Response(text, headers={"cache-control": "no-store"}, media_type="application/json")
