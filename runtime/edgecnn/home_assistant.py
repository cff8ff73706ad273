"""The documents by which Home Assistant finds a classifier. Source: its manual, "MQTT", "MQTT Discovery"."""

import re
from collections.abc import Iterator
from typing import Any

from edgecnn import __version__
from edgecnn.prediction import UNKNOWN

_PREFIX = "homeassistant"  # its default


def discovery(topic: str, labels: tuple[str, ...]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Topics and retained documents: a sensor of the label, one of its probability.

    Args:
        topic: under which answers are published.
        labels: of the model.
    """
    name = re.sub(r"[^A-Za-z0-9_-]", "_", topic)
    shared = {
        "state_topic": f"{topic}/answer",
        "availability_topic": f"{topic}/status",
        "device": {"identifiers": [f"edgecnn_{name}"], "name": topic, "manufacturer": "edgecnn"},
        "origin": {"name": "edgecnn", "sw_version": __version__},
    }
    label = {
        "name": "Label",
        "unique_id": f"edgecnn_{name}_label",
        "value_template": "{{ value_json.label }}",
        "json_attributes_topic": f"{topic}/answer",
        "device_class": "enum",
        "options": [*labels, UNKNOWN],
        "icon": "mdi:eye",
    }
    probability = {
        "name": "Probability",
        "unique_id": f"edgecnn_{name}_probability",
        "value_template": "{{ (100 * (value_json.probability | default(0))) | round(1) }}",
        "unit_of_measurement": "%",
        "state_class": "measurement",
        "entity_category": "diagnostic",
    }
    for part, document in (("label", label), ("probability", probability)):
        yield f"{_PREFIX}/sensor/edgecnn_{name}/{part}/config", document | shared
