import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from fitbench.data.memory_limit import memory_limit

MEGABYTE = 2**20


@pytest.fixture
def machine(tmp_path):
    """Return a function that writes files of the kernel, and a machine with 64,000 MB available."""

    def write(files: dict[str, str]) -> Path:
        for name, content in {"proc/meminfo": "MemTotal: 99 kB\nMemAvailable: 65536000 kB\n", **files}.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        return tmp_path

    return write


def test_half_of_what_the_machine_has_available(machine):
    assert memory_limit(machine({})) == 32_000 * MEGABYTE


SLURM = "sys/fs/cgroup/system.slice/slurmstepd.scope/job_7"


@pytest.mark.parametrize(
    ("name", "left"),
    [(f"{SLURM}/step_0/memory.max", 900), (f"{SLURM}/memory.max", 900), (f"{SLURM}/step_0/memory.high", 900)],
)
def test_limits_of_a_control_group_and_of_the_groups_above_it_are_seen(machine, name, left):
    group = Path(name).parent
    root = machine(
        {
            "proc/self/cgroup": "0::/system.slice/slurmstepd.scope/job_7/step_0\n",
            f"{SLURM}/step_0/memory.max": "max\n",
            name: f"{1000 * MEGABYTE}\n",
            f"{group}/memory.current": f"{300 * MEGABYTE}\n",
            f"{group}/memory.stat": f"anon 5\ninactive_file {150 * MEGABYTE}\nactive_file {50 * MEGABYTE}\n",
        }
    )
    assert memory_limit(root) == left * MEGABYTE // 2


@pytest.mark.parametrize("path", ["/slurm/uid_5/job_7", "/docker/0123abcd"])
def test_limits_of_version_1_are_seen_also_in_a_container_that_knows_its_path_on_the_host(machine, path):
    group = "sys/fs/cgroup/memory" + ("" if "docker" in path else "/slurm/uid_5")
    root = machine(
        {
            "proc/self/cgroup": f"9:name=systemd:/\n4:cpu,memory:{path}\n0::/\n",
            f"{group}/memory.limit_in_bytes": f"{2000 * MEGABYTE}\n",
            f"{group}/memory.usage_in_bytes": f"{500 * MEGABYTE}\n",
            f"{group}/memory.stat": f"inactive_file 1\ntotal_inactive_file {100 * MEGABYTE}\n",
        }
    )
    assert memory_limit(root) == 800 * MEGABYTE


def test_group_that_is_full_leaves_nothing(machine):
    root = machine(
        {
            "proc/self/cgroup": "0::/\n",
            "sys/fs/cgroup/memory.max": "1000\n",
            "sys/fs/cgroup/memory.current": "1200\n",
        }
    )
    assert memory_limit(root) == 0


def test_limit_of_address_space_is_seen():
    done = subprocess.run(
        [sys.executable, "-c", "from fitbench.data.memory_limit import memory_limit; print(memory_limit())"],
        capture_output=True,
        text=True,
        check=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (2**31, 2**31)),
    )
    assert 2**28 < int(done.stdout) < 2**30


def test_this_machine_has_a_limit_of_at_most_half_of_its_memory():
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert 2**20 < memory_limit() <= total // 2
