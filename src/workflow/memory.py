"""Memory that a step has freed stays with the process, for the next step."""

import ctypes
import platform

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -2, -3  # malloc.h of glibc
KEPT = 2**30  # bytes: no smaller block is given back
KEPT_ONCE = 2**25  # the most that older versions of glibc accept for the second


def keep_freed_memory() -> None:
    """Let glibc hand out large blocks anew instead of returning them to the kernel after each use.

    The activations of a step are such blocks. A block fresh from the kernel is mapped page by page as it is first
    written, a page fault each (``tests/workflow/test_memory.py`` counts them). Another allocator than glibc's is left
    as it is.
    """
    if platform.libc_ver()[0] != "glibc":
        return
    libc = ctypes.CDLL(None)
    for most in (KEPT_ONCE, KEPT):  # what is refused leaves the one before
        libc.mallopt(M_MMAP_THRESHOLD, most)
    libc.mallopt(M_TRIM_THRESHOLD, KEPT)
