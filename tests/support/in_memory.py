"""Files of tests lie in memory where that can be, because most of them wait for the disk.

Every append is flushed to the disk before it is answered, and thousands of tests append. What a
lost machine leaves is proved by writes that are recorded (`power_cut.py`), so no test needs a disk.
"""

import os
import shutil
from pathlib import Path

MEMORY = Path("/dev/shm")
BYTES_FREE_MIN = 4 * 1024**3


def keep_files_in_memory() -> None:
    """Have this process and its children make temporary files in memory.

    Not where the machine was told another place, has too little room, or runs no program from
    there: tests make programs.
    """
    if "TMPDIR" in os.environ or not os.access(MEMORY, os.W_OK | os.X_OK):
        return
    runs_nothing = os.statvfs(MEMORY).f_flag & os.ST_NOEXEC
    if not runs_nothing and shutil.disk_usage(MEMORY).free >= BYTES_FREE_MIN:
        os.environ["TMPDIR"] = str(MEMORY)
