"""Print the error of each inventory that is wrong, a line each: python tests/try_inventories.py INVENTORY..."""

import sys

from gevent import monkey

monkey.patch_all()

from deploy.inventory import load_hosts  # noqa: E402
from edgecnn.errors import EdgecnnError  # noqa: E402

for inventory in sys.argv[1:]:
    try:
        load_hosts(inventory, parallel=1)
    except EdgecnnError as error:
        print(error)
