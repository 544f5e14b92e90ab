"""A step's memory stays with the process. Page faults are counted, in a process of its own; nothing is timed."""

import platform
import subprocess
import sys

import pytest

STEPS = """
import resource, sys, torch
from raciflux.workflow.memory import keep_freed_memory
if sys.argv[1] == "kept":
    keep_freed_memory()
faults = []
for _ in range(6):
    activations = [torch.ones(10_000_000) for _ in range(5)]  # of 40 MB: glibc itself never keeps more than 32
    del activations
    faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)
print(faults[-1] - faults[-2])
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc is told to keep memory")
def test_a_step_after_the_first_takes_no_new_pages_from_the_kernel():
    def faults_of_a_step(how: str) -> int:
        done = subprocess.run([sys.executable, "-c", STEPS, how], capture_output=True, text=True, check=True)
        return int(done.stdout)

    given_back = faults_of_a_step("given back")  # 49,000 of 4 kB; few where the kernel hands out larger pages
    assert given_back > 10
    assert faults_of_a_step("kept") <= given_back / 10


def test_another_allocator_is_left_alone(monkeypatch):
    from raciflux.workflow import memory

    monkeypatch.setattr(memory.platform, "libc_ver", lambda: ("", ""))
    monkeypatch.setattr(memory.ctypes, "CDLL", lambda _: pytest.fail("asked"))
    memory.keep_freed_memory()
