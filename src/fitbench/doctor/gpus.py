"""NVIDIA's GPUs: whether there are any, and what hides them from the backends."""

from __future__ import annotations

import ctypes.util
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fitbench.doctor.finding import Finding, note, ok, problem
from fitbench.doctor.packages import missing_of
from fitbench.record.control_groups import read
from fitbench.text import counted, first_of

SMI = ("nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader")
SMI_SECONDS = 10
NVIDIA, DISPLAY = "0x10de", "0x03"  # a vendor and a class of devices on the PCI bus
CUDA_13 = 580  # the first driver that has it
JAX_PLATFORMS = ("JAX_PLATFORMS", "JAX_PLATFORM_NAME")
LOUD = "TF_CPP_MIN_LOG_LEVEL=0 python -c 'import tensorflow as tf; tf.config.list_physical_devices()' says why"
CONTAINER = "start the container with --gpus all (NVIDIA Container Toolkit), the Slurm job with --gres=gpu:1"


@dataclass(frozen=True)
class Graphics:
    """What a machine says of its GPUs.

    Attributes:
        listed: those that nvidia-smi lists: 'NVIDIA H200, 550.54.15, 143771 MiB'.
        failure: why nvidia-smi listed none; empty if it did, or if there is no nvidia-smi.
        on_bus: how many the PCI bus has.
        driver: the version of the kernel's driver, None if none is loaded.
        devices: how many device files, /dev/nvidia0 and further.
        library: whether the driver's library libcuda is found.
    """

    listed: tuple[str, ...] = ()
    failure: str = ""
    on_bus: int = 0
    driver: str | None = None
    devices: int = 0
    library: bool = False

    @property
    def usable(self) -> bool:
        """Whether a CUDA program would find a GPU that no variable hides."""
        return bool(self.listed) or bool(self.driver and self.devices and self.library and not self.failure)

    @property
    def version(self) -> str:
        """The version of the driver, 0 if it is not known."""
        return self.driver or next((line.split(", ")[1] for line in self.listed if line.count(", ") > 1), "0")


def graphics(root: Path = Path("/"), smi: Sequence[str] = SMI) -> Graphics:
    """Ask this machine.

    Args:
        root: the folder that holds `proc`, `sys` and `dev`.
        smi: the command that lists the GPUs.
    """
    listed, failure = _listed(smi)
    version = re.search(r"Kernel Module.*?\s(\d+\.[\d.]+)", read(root / "proc/driver/nvidia/version"))
    bus = [
        device
        for device in _children(root / "sys/bus/pci/devices")
        if read(device / "vendor").strip() == NVIDIA and read(device / "class").startswith(DISPLAY)
    ]
    devices = [path for path in _children(root / "dev") if re.fullmatch("nvidia[0-9]+", path.name)]
    library = ctypes.util.find_library("cuda") is not None
    return Graphics(listed, failure, len(bus), version[1] if version else None, len(devices), library)


def _listed(smi: Sequence[str]) -> tuple[tuple[str, ...], str]:
    try:
        done = subprocess.run(smi, capture_output=True, text=True, timeout=SMI_SECONDS, check=False)
    except FileNotFoundError:
        return (), ""
    except (OSError, subprocess.TimeoutExpired) as error:
        return (), str(error)
    lines = tuple(line.strip() for line in done.stdout.splitlines() if line.strip())
    if done.returncode or not lines:
        return (), (done.stderr.strip() or done.stdout.strip() or "it lists none").splitlines()[0]
    return lines, ""


def hardware(machine: Graphics) -> Finding:
    """Whether there is a GPU whose driver works."""
    driver = machine.driver
    if machine.listed:
        names = [line.split(", ")[0] for line in machine.listed]
        return ok(
            "GPU", f"{first_of(names)}, driver {machine.version}; device=auto uses it, device=cpu does not", gpus=names
        )
    if driver is None and not machine.on_bus:
        return ok("GPU", "no NVIDIA GPU; training uses the CPU", gpus=[])
    if driver is None:
        on_bus = counted(machine.on_bus, "NVIDIA GPU")
        return note("GPU", f"{on_bus} on the PCI bus, but no driver", "install NVIDIA's driver; nvidia-smi tests it")
    if not machine.devices:
        return note("GPU", f"driver {driver}, but no device files /dev/nvidia0, ..", CONTAINER)
    if machine.failure:
        return problem(
            "GPU", f"driver {driver}, but nvidia-smi fails: {machine.failure}",
            "restart the machine if the driver was updated; else install the driver anew",
        )  # fmt: skip
    if not machine.library:
        return problem(
            "GPU", f"driver {driver}, but its library libcuda.so.1 is missing",
            f"install the driver's libraries of this version; {CONTAINER}",
        )  # fmt: skip
    return ok("GPU", f"{counted(machine.devices, 'NVIDIA GPU')}, driver {driver}", gpus=[])


def hidden(environ: Mapping[str, str]) -> dict[str, Finding]:
    """The variables that hide GPUs, by the backend that they hide them from; '' is every backend."""
    found = {}
    devices = environ.get("CUDA_VISIBLE_DEVICES")
    if devices is not None and not re.match(r"\s*(\d|GPU-|MIG-)", devices):
        text = f"CUDA_VISIBLE_DEVICES is {devices!r}, which hides every GPU"
        found[""] = note("hidden", text, "unset CUDA_VISIBLE_DEVICES, or name the GPUs: CUDA_VISIBLE_DEVICES=0")
    for name in JAX_PLATFORMS:
        platforms = environ.get(name, "")
        if platforms and not re.search("cuda|gpu", platforms):
            text = f"{name} is {platforms!r}, so JAX uses no GPU"
            found["jax"] = note("hidden", text, f"unset {name}")
    return found


def used(backend: str, seen: Sequence[str], machine: Graphics) -> Finding:
    """Whether a backend sees the GPUs of a machine that has usable ones, none of which a variable hides.

    Args:
        backend: tensorflow or jax.
        seen: the names of the GPUs that it sees.
        machine: what the machine says.
    """
    if seen:
        return ok(backend, f"sees {counted(len(seen), 'GPU')}: {first_of(seen)}", gpus=list(seen))
    if backend == "jax":
        cuda = "cuda13" if int(machine.version.split(".")[0]) >= CUDA_13 else "cuda12"
        return problem(backend, "sees no GPU", f"pip install 'jax[{cuda}]'")
    if missing := missing_of("tensorflow", "and-cuda"):
        text = f"sees no GPU: {len(missing)} of its CUDA packages are missing, as {missing[0]}"
        return problem(backend, text, "pip install 'fitbench[gpu]' (tensorflow[and-cuda])")
    return problem(backend, f"sees no GPU although its CUDA packages are here; driver {machine.version}", LOUD)


def _children(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []
