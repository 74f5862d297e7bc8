"""Files for the browser: most named by their content and written once, some written anew; the longest unused are removed.

How they are served and kept on the other side is for `components/shared/browser.py` and `plotly.js`.
"""

import gzip
import os
from dataclasses import dataclass
from pathlib import Path

from dashboard.figures import Spec
from training.errors import HomeError
from training.files import replace_file

_GZIP_LEVEL = 1
"""Higher ones take three times as long for a tenth less."""


@dataclass(frozen=True)
class WebFiles:
    """A folder that several processes may share."""

    folder: Path
    limit_bytes: int = 256 * 2**20
    """About a hundred figures of 100,000 points."""

    def keep(self, spec: Spec) -> str:
        """The name of the file with this content (JSON, gzip), written if it is not there.

        Raises:
            HomeError: as of `put`.
        """
        name = f"{spec.revision}.json.gz"
        try:
            os.utime(self.folder / name)  # marks it as used
        except OSError:
            if (self.folder / name).is_file():  # it can only be read, which is enough
                return name
            self.put(name, gzip.compress(spec.json.encode(), _GZIP_LEVEL))
        return name

    def put(self, name: str, content: bytes) -> None:
        """Write a file, instead of the one of that name if there is one.

        Raises:
            HomeError: the folder cannot be written or the disk is full; nothing partial is left behind.
        """
        file = self.folder / name
        try:
            is_new = not file.exists()
            self.folder.mkdir(parents=True, exist_ok=True)
            replace_file(file, lambda stream: stream.write(content))
            if is_new:
                self._trim(file)
        except OSError as error:
            raise HomeError(
                f"The folder {self.folder} cannot be written ({error.strerror or error}).",
                "Free some space, or set GRPO_ATLAS_HOME to a folder that you may write to.",
            ) from error

    def _trim(self, newest: Path) -> None:
        """Remove the longest unused files beyond the limit."""
        found = sorted(((status.st_mtime_ns, status.st_size, file) for file, status in self._others(newest)), reverse=True)
        total = newest.stat().st_size
        for _, size, file in found:
            total += size
            if total > self.limit_bytes:
                file.unlink(missing_ok=True)

    def _others(self, newest: Path) -> list[tuple[Path, os.stat_result]]:
        found = []
        for entry in os.scandir(self.folder):
            try:
                if entry.name != newest.name:
                    found.append((Path(entry.path), entry.stat()))
            except FileNotFoundError:  # another process removed it
                continue
        return found
