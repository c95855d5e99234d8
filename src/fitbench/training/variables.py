"""The environment variables that change how a backend computes."""

import os
from collections.abc import Mapping

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


def variables(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The environment variables that may change a result, by name."""
    return {
        name: value
        for name, value in sorted(environ.items())
        if name.startswith(COMPUTING) and not name.startswith(MEMORY)
    }
