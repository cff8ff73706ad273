"""A systemd unit that keeps a command of edgecnn running, and may do little else.

Sources: systemd.exec(5), systemd.service(5), systemd.syntax(7) of systemd 252. What a user's own manager cannot do
(drop capabilities, join groups, close devices) is left to the units of the system.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgecnn import bounds
from edgecnn.errors import EdgecnnError

MARK = "# Written by edgecnn service install; edgecnn service remove takes it away."
_BACK_OFF = 254  # the first version of systemd that waits longer after each failure
_UNSAFE = "\"'\\"  # what systemd takes in no path of a program or a folder
_ESCAPES = {"\\": "\\\\", '"': '\\"', "%": "%%", "$": "$$", "\n": "\\n", "\t": "\\t"}

_EVERYWHERE = """
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=read-only
PrivateTmp=yes
ProtectControlGroups=yes
ProtectKernelTunables=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged
SystemCallErrorNumber=EPERM
UMask=0077
"""

_SYSTEM_ONLY = """
SupplementaryGroups=video
CapabilityBoundingSet=
AmbientCapabilities=
DevicePolicy=closed
DeviceAllow=char-video4linux rw
DeviceAllow=char-media rw
DeviceAllow=char-dma_heap rw
DeviceAllow=char-vchiq rw
DeviceAllow=char-vcio rw
ProtectClock=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectProc=invisible
ProcSubset=all
RemoveIPC=yes
"""


@dataclass(frozen=True)
class Unit:
    """What a unit is to run.

    Attributes:
        name: of the unit, without `.service`.
        words: the command; the first one is an absolute path.
        folder: where it runs.
        system: whether the system's manager runs it; else the user's.
        user: who runs it, of a unit of the system; None for a user of its own that systemd makes.
        writable: the folders that it may write, beside its state folder.
        systemd: the version of systemd.
    """

    name: str
    words: Sequence[str]
    folder: Path
    system: bool = False
    user: str | None = None
    writable: Sequence[Path] = ()
    systemd: int = 0

    def text(self) -> str:
        """The unit's file.

        Raises:
            EdgecnnError: a path cannot be written in a unit file.
        """
        target = "multi-user.target" if self.system else "default.target"
        sections = (
            ("Unit", f"Description=edgecnn: {self.name}\nAfter=network.target\nStartLimitIntervalSec=0"),
            ("Service", "\n".join(filter(None, self._service()))),
            ("Install", f"WantedBy={target}"),
        )
        return f"{MARK}\n" + "".join(f"\n[{name}]\n{lines}\n" for name, lines in sections)

    def _service(self) -> list[str]:
        plain_path(Path(self.words[0]))
        account = [f"User={self.user}" if self.user else "DynamicUser=yes"] if self.system else []
        writable = " ".join(f'"{_specified(plain_path(folder))}"' for folder in self.writable)
        return [
            "Type=exec",
            f"ExecStart={' '.join(map(word, self.words))}",
            f"WorkingDirectory={_specified(plain_path(self.folder))}",
            *account,
            *self._restart(),
            f"StateDirectory={self.name}",
            f"Environment=XDG_STATE_HOME=%S/{self.name} PYTHONUNBUFFERED=1",
            f"EnvironmentFile=-%E/{self.name}.env",  # tokens and passwords, which are no arguments
            f"ReadWritePaths={writable}" if writable else "",
            _EVERYWHERE.strip(),
            _SYSTEM_ONLY.strip() if self.system else "",
        ]

    def _restart(self) -> list[str]:
        lines = ["Restart=always", "RestartSec=5", "TimeoutStopSec=20"]
        return [*lines, "RestartSteps=6", "RestartMaxDelaySec=300"] if self.systemd >= _BACK_OFF else lines


def word(text: str) -> str:
    """A word of ExecStart: in quotes, and with nothing in it that acts: no specifier, variable or separator."""
    escaped = "".join(_ESCAPES.get(letter) or _letter(letter) for letter in text)
    return f'"{escaped}"'


def _letter(letter: str) -> str:
    if letter >= " " and letter != "\x7f":
        return letter
    return f"\\x{ord(letter):02x}"


def _specified(text: str) -> str:
    return text.replace("%", "%%")


def plain_path(path: Path) -> str:
    """A path that systemd takes as it is.

    Raises:
        EdgecnnError: it is relative, or holds quotes, backslashes, line feeds or the like, or ends with a space.
    """
    text = str(path)
    safe = text.isprintable() and not any(letter in _UNSAFE for letter in text) and text == text.strip()
    if not (path.is_absolute() and safe):
        raise EdgecnnError(f"systemd takes no path such as {bounds.short(text)}: rename the folder")
    return text
