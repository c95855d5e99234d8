"""What a run was made with: versions of packages, the state of the source tree, environment variables."""

import importlib.metadata
import os
import platform
import subprocess
from typing import Any

from fitbench.config import Backend
from fitbench.version import __version__

# How the environment variables begin that change how TensorFlow, XLA, JAX and the libraries below them compute. Not all
# that begin with TF_ do: Terraform's have that prefix too, and hold secrets.
COMPUTING = (
    "TF_AUTO", "TF_CONV2D_", "TF_CUBLAS", "TF_CUDNN_", "TF_DEBUG_CUDNN_", "TF_DETERMINISTIC_", "TF_DISABLE_",
    "TF_ENABLE_", "TF_FP16_", "TF_GPU_THREAD_", "TF_JITRT_", "TF_MATMUL_", "TF_MKL_", "TF_NUM_", "TF_ONEDNN_",
    "TF_OVERRIDE_", "TF_SET_ONEDNN_", "TF_USE_", "TF_XLA_",
    "BLIS_", "CUBLAS_", "CUDNN_", "DNNL_", "EIGEN_", "GOMP_", "HIPBLAS", "JAX_", "KMP_", "MIOPEN_", "MKL_",
    "NVIDIA_TF32_", "OMP_", "ONEDNN_", "OPENBLAS_", "PYTHONHASHSEED", "ROCBLAS_", "VECLIB_", "XLA_",
)  # fmt: skip
MEMORY = "XLA_PYTHON_CLIENT_"  # where JAX takes memory from, and how much


def variables() -> dict[str, str]:
    """The environment variables that may change a result, by name."""
    return {
        name: value
        for name, value in sorted(os.environ.items())
        if name.startswith(COMPUTING) and not name.startswith(MEMORY)
    }


def versions(backend: Backend) -> dict[str, str]:
    """The versions of Python, fitbench and the packages that compute."""
    packages = ("keras", backend.value, "numpy", "hydra-core")
    return {
        "python": platform.python_version(),
        "fitbench": __version__,
        **{package: importlib.metadata.version(package) for package in packages},
    }


def git_state() -> dict[str, Any]:
    """The commit of the source tree that the run was launched in and whether it had changes; nulls outside of one."""
    try:
        commit = _git("rev-parse", "HEAD").strip()
        dirty = bool(_git("status", "--porcelain", "--untracked-files=no").strip())
    except (OSError, subprocess.CalledProcessError):  # no git, no repository, no commit yet
        return {"commit": None, "dirty": None}
    return {"commit": commit, "dirty": dirty}


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], capture_output=True, text=True, check=True).stdout
