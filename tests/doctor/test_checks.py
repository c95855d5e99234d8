"""Each check of `fitbench doctor`, on faked machines: files of the kernel, variables, metadata of packages."""

import resource
import sys
from pathlib import Path

import pytest

from fitbench.doctor import backends, data_sets, folders, gpus, machine, packages, surroundings
from fitbench.doctor.finding import Finding
from fitbench.doctor.gpus import Graphics

GB = 10**9


def files(root: Path, contents: dict[str, str]) -> Path:
    for name, text in contents.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def assert_finding(finding: Finding, status: str, found: str, remedy: str = "") -> None:
    """A finding of a status; its texts contain these. Whatever is not ok, and can be changed, has a remedy."""
    assert finding.status == status, finding
    assert found in finding.found
    assert remedy in finding.remedy
    assert bool(finding.remedy) == (status != "ok")


# -- packages ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Makes the metadata of the named packages all that is installed: version and requirements by name."""

    def install(**named: tuple[str, list[str]]) -> None:
        for name, (version, requires) in named.items():
            lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}", "Requires-Python: >=3.11,<3.14"]
            lines += [f"Requires-Dist: {each}" for each in requires]
            files(tmp_path / "site", {f"{name}-{version}.dist-info/METADATA": "\n".join(lines) + "\n\n"})
        import packaging.requirements  # noqa: F401 - while it can be found

        monkeypatch.setattr(sys, "path", [str(tmp_path / "site")])

    return install


NEEDS = ["numpy>=2", "keras>=3.15", "optuna<6,>=5; extra == 'search'", "sqlalchemy>=2; extra == 'search'"]


@pytest.mark.parametrize(
    ("version", "status", "found"),
    [("3.12.3", "ok", "3.12.3 (allowed: "), ("3.10.1", "problem", "fitbench needs "), ("3.14.0", "problem", "3.14.0")],
)
def test_python_is_compared_with_what_fitbench_allows(version, status, found):
    assert_finding(packages.python(version), status, found)


def test_packages_that_are_right_share_a_finding_and_each_other_one_has_a_remedy(installed):
    installed(
        fitbench=("1", [*NEEDS, "pandas", "winonly; sys_platform == 'win32'"]), numpy=("1.9", []), pandas=("3", [])
    )
    right, *wrong = packages.needed()
    assert_finding(right, "ok", "1 package: pandas 3")
    assert right.details["packages"]["numpy"] == {"version": "1.9", "allowed": ">=2"}
    assert_finding(wrong[0], "problem", "numpy 1.9 is installed; fitbench needs >=2", "pip install 'numpy>=2'")
    assert_finding(wrong[1], "problem", "keras is not installed; fitbench needs >=3.15", "pip install 'keras>=3.15'")
    assert len(wrong) == 2


def test_conflicts_of_packages_below_those_that_fitbench_needs_are_found(installed):
    installed(
        fitbench=("1", NEEDS),
        keras=("3.15", ["numpy>=2", "h5py>=3", "absent; extra == 'docs'"]),
        numpy=("2.1", []),
        h5py=("3.1", ["numpy>=3"]),
        stranger=("1", ["numpy>=9"]),
    )
    assert_finding(packages.conflicts(), "problem", "h5py 3.1 needs numpy>=3, found 2.1", "pip check")
    assert packages.conflicts().details["conflicts"] == ["h5py 3.1 needs numpy>=3, found 2.1"]


@pytest.mark.parametrize(
    ("optuna", "sqlalchemy", "name", "status", "found"),
    [
        ("5.1", "2", "installed", "ok", "search"),
        (None, "2", "not installed", "note", "search (fitbench search)"),
        ("4.0", "2", "search", "problem", "optuna 4.0; the extra needs optuna<6,>=5"),
    ],
)
def test_extras_say_what_they_give_and_how_to_get_them(installed, optuna, sqlalchemy, name, status, found):
    there = {"optuna": optuna, "sqlalchemy": sqlalchemy}
    installed(fitbench=("1", NEEDS), **{each: (version, []) for each, version in there.items() if version})
    finding = packages.extras()[-1]
    assert finding.name == name
    assert_finding(finding, status, found, "" if status == "ok" else "pip install 'fitbench[search]'")


def test_every_extra_for_users_says_what_it_gives():
    import importlib.metadata

    offered = set(importlib.metadata.metadata("fitbench").get_all("Provides-Extra"))
    assert offered - {"dev", "docs"} == set(packages.GIVES)


# -- backends and GPUs ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "status", "found", "remedy"),
    [
        (None, "ok", "not imported", ""),
        ({"gpus": [], "seconds": 7.2}, "ok", "in 7 s", ""),
        ({"error": "no answer within 60 s", "late": True}, "note", "no answer within 60 s", "--fast"),
        ({"error": "it was ended by SIGILL"}, "problem", "SIGILL", "the processor lacks instructions"),
        ({"error": "it was ended by SIGKILL"}, "problem", "SIGKILL", "memory"),
        ({"error": "ImportError: libfoo.so"}, "problem", "libfoo.so", "pip install --force-reinstall tensorflow"),
    ],
)
def test_backend_is_what_its_probe_says(answer, status, found, remedy):
    assert_finding(backends.backend("tensorflow", answer), status, found, remedy)


def test_package_that_cannot_be_imported_is_named():
    [finding] = backends.imports({"errors": {"pandas": "ValueError: numpy.dtype size changed"}, "seconds": 1})
    assert_finding(finding, "problem", "pandas is broken: ValueError: numpy.dtype", "--force-reinstall pandas")


H200 = "NVIDIA H200, 550.54.15, 143771 MiB"


@pytest.mark.parametrize(
    ("graphics", "status", "found", "remedy"),
    [
        (Graphics(), "ok", "no NVIDIA GPU", ""),
        (Graphics(on_bus=2), "note", "2 NVIDIA GPUs on the PCI bus, but no driver", "install NVIDIA's driver"),
        (Graphics(driver="550.54.15", on_bus=1), "note", "no device files", "--gpus all"),
        (Graphics(driver="550.54.15", devices=1, failure="version mismatch"), "problem", "version mismatch", "restart"),
        (Graphics(driver="550.54.15", devices=1), "problem", "libcuda.so.1 is missing", "libraries"),
        (Graphics(driver="550.54.15", devices=1, library=True), "ok", "1 NVIDIA GPU, driver 550.54.15", ""),
        (Graphics(listed=(H200,)), "ok", "NVIDIA H200, driver 550.54.15", ""),
    ],
)
def test_gpu_that_no_program_could_use_says_what_is_missing(graphics, status, found, remedy):
    assert_finding(gpus.hardware(graphics), status, found, remedy)
    assert graphics.usable == (status == "ok" and graphics != Graphics())


def smi(tmp_path: Path, script: str) -> list[str]:
    (tmp_path / "nvidia-smi").write_text(f"#!/bin/sh\n{script}\n")
    (tmp_path / "nvidia-smi").chmod(0o755)
    return [str(tmp_path / "nvidia-smi")]


def test_driver_devices_and_bus_are_read_from_the_files_of_the_kernel(tmp_path):
    root = files(
        tmp_path,
        {
            "proc/driver/nvidia/version": "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.54.03  Tue Jun 6\nGCC\n",
            "dev/nvidia0": "", "dev/nvidiactl": "",
            "sys/bus/pci/devices/0/vendor": "0x10de\n", "sys/bus/pci/devices/0/class": "0x030200\n",
            "sys/bus/pci/devices/1/vendor": "0x10de\n", "sys/bus/pci/devices/1/class": "0x040300\n",  # its sound
        },
    )  # fmt: skip
    found = gpus.graphics(root, smi(tmp_path, "echo 'Failed to initialize NVML' >&2; exit 18"))
    assert (found.driver, found.devices, found.on_bus) == ("535.54.03", 1, 1)
    assert (found.listed, found.failure) == ((), "Failed to initialize NVML")
    opened = "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  570.86.15  Release Build\n"
    files(root, {"proc/driver/nvidia/version": opened})
    found = gpus.graphics(root, smi(tmp_path, f"echo '{H200}'"))
    assert (found.driver, found.listed, found.failure) == ("570.86.15", (H200,), "")
    assert gpus.graphics(tmp_path / "empty", ["/no/nvidia-smi"]).driver is None


@pytest.mark.parametrize(
    ("environ", "hidden"),
    [
        ({}, {}),
        ({"CUDA_VISIBLE_DEVICES": "0,1"}, {}),
        ({"CUDA_VISIBLE_DEVICES": "GPU-8932f937"}, {}),
        ({"CUDA_VISIBLE_DEVICES": ""}, {"": "CUDA_VISIBLE_DEVICES is ''"}),
        ({"CUDA_VISIBLE_DEVICES": "-1"}, {"": "hides every GPU"}),
        ({"JAX_PLATFORMS": "cpu"}, {"jax": "JAX_PLATFORMS is 'cpu'"}),
        ({"JAX_PLATFORMS": "cuda,cpu"}, {}),
        ({"JAX_PLATFORM_NAME": "cpu"}, {"jax": "JAX_PLATFORM_NAME"}),
    ],
)
def test_variables_that_hide_gpus_are_named(environ, hidden):
    found = gpus.hidden(environ)
    assert set(found) == set(hidden)
    for backend, text in hidden.items():
        assert_finding(found[backend], "note", text, "unset")


def test_backend_that_sees_no_gpu_lacks_its_cuda_packages(installed):
    machine_ = Graphics(listed=(H200,))
    assert_finding(gpus.used("jax", ["H200"], machine_), "ok", "sees 1 GPU: H200")
    assert_finding(gpus.used("jax", [], machine_), "problem", "sees no GPU", "jax[cuda12]")
    assert_finding(gpus.used("jax", [], Graphics(driver="580.1", devices=1)), "problem", "sees no GPU", "jax[cuda13]")
    installed(tensorflow=("2.21", ["nvidia-cudnn-cu12>=9; extra == 'and-cuda'"]))
    text = "1 of its CUDA packages are missing, as nvidia-cudnn-cu12"
    assert_finding(gpus.used("tensorflow", [], machine_), "problem", text, "fitbench[gpu]")
    installed(nvidia_cudnn_cu12=("9.1", []))
    assert_finding(gpus.used("tensorflow", [], machine_), "problem", "although its CUDA packages are here", "says why")


# -- machine ----------------------------------------------------------------------------------------------------------

MEMORY = "MemTotal: 64000000 kB\nMemAvailable: 32000000 kB\n"
V1, V2 = "3:cpu,cpuacct:/job\n4:memory:/job\n", "0::/job\n"


@pytest.mark.parametrize(
    ("contents", "quota"),
    [
        ({}, None),
        ({"proc/self/cgroup": V2, "sys/fs/cgroup/job/cpu.max": "max 100000\n"}, None),
        ({"proc/self/cgroup": V2, "sys/fs/cgroup/job/cpu.max": "150000 100000\n"}, 1.5),
        ({"proc/self/cgroup": V2, "sys/fs/cgroup/cpu.max": "50000 100000\n"}, 0.5),
        (
            {
                "proc/self/cgroup": V1,
                "sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_quota_us": "200000\n",
                "sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_period_us": "100000\n",
            },
            2,
        ),
        (
            {
                "proc/self/cgroup": V1,
                "sys/fs/cgroup/cpu/job/cpu.cfs_quota_us": "-1\n",
                "sys/fs/cgroup/cpu/job/cpu.cfs_period_us": "100000\n",
            },
            None,
        ),
    ],
)
def test_quota_of_both_versions_of_control_groups_limits_cores_and_workers(tmp_path, contents, quota):
    root = files(tmp_path, {"proc/meminfo": MEMORY, **contents})
    finding = machine.core_count(root, usable=4, total=8)
    assert finding.details == {"cores": 4, "of": 8, "quota": quota}
    if quota is None:
        assert_finding(finding, "ok", "4 of 8 cores")
    else:
        assert_finding(finding, "note", f"allows the time of {quota:g}", f"threads={max(round(quota), 1)} ")
    assert machine.workers(root, usable=4).details["workers"] == max(int(quota or 4), 1)


@pytest.mark.parametrize(
    ("contents", "status", "found", "workers"),
    [
        ({}, "ok", "32.8 GB available of 65.5 GB", 8),
        (
            {"proc/self/cgroup": V2, "sys/fs/cgroup/job/memory.max": "3000000000\n"},
            *("ok", "3.0 GB available of 65.5 GB; control group leaves less", 3),
        ),
        (
            {"proc/self/cgroup": V1, "sys/fs/cgroup/memory/job/memory.limit_in_bytes": "800000000\n"},
            *("problem", "0.8 GB available", 1),
        ),
        (
            {"proc/meminfo": "MemTotal: 8000000 kB\nMemAvailable: 500000 kB\n"},
            *("problem", "0.5 GB available of 8.2 GB", 1),
        ),
    ],
)
def test_memory_is_what_the_machine_and_control_groups_leave(tmp_path, contents, status, found, workers):
    root = files(tmp_path, {"proc/meminfo": MEMORY, **contents})
    assert_finding(machine.memory(root), status, found)
    assert machine.workers(root, usable=8).details["workers"] == workers


def test_little_shared_memory_is_noted(tmp_path):
    assert_finding(machine.shared_memory(tmp_path, 64 * 2**20), "note", "67 MB", "--shm-size")
    assert_finding(machine.shared_memory(tmp_path, 2 * GB), "ok", "2.0 GB")
    assert_finding(machine.shared_memory(tmp_path / "none"), "ok", "no ")


# -- folders and data -------------------------------------------------------------------------------------------------


def test_outputs_that_can_be_written_are_left_as_they_were(tmp_path, tree):
    before = tree()
    assert_finding(folders.outputs(tmp_path), "ok", "can be written")
    assert_finding(folders.outputs(tmp_path / "not" / "yet"), "ok", f"does not exist yet, in {tmp_path}")
    assert {path: size for path, (_, size) in tree().items()} == {path: size for path, (_, size) in before.items()}


def test_outputs_that_cannot_be_written_are_a_problem(tmp_path):
    (tmp_path / "file").touch()
    assert_finding(folders.outputs(tmp_path / "file" / "x"), "problem", "is no folder", "outputs=FOLDER")
    assert_finding(folders.outputs(Path("/proc/outputs")), "problem", "cannot be written", "outputs=FOLDER")


def mounts(root: Path, kind: str) -> Path:
    line = f"30 1 0:1 / {root}/my\\040runs rw - {kind} server:/x rw"
    return files(root, {"proc/self/mountinfo": f"20 1 8:1 / / rw - ext4 /dev/sda1 rw\n{line}\n"})


def test_network_file_system_is_noted(tmp_path):
    (tmp_path / "my runs").mkdir()
    (tmp_path / "my").mkdir()
    root = mounts(tmp_path, "nfs4")
    assert folders.file_system(tmp_path / "my", root) == "ext4"
    assert_finding(folders.outputs(tmp_path / "my runs", root), "note", "on nfs4; claims", "clocks")
    assert_finding(folders.outputs(tmp_path / "my runs", mounts(tmp_path, "xfs")), "ok", "on xfs")


def test_little_space_is_a_problem(tmp_path):
    assert_finding(folders.space(tmp_path, free=10**8), "problem", "0.1 GB free", "fitbench trash --empty")
    assert_finding(folders.space(tmp_path / "not" / "yet"), "ok", "GB free")


def test_folders_that_variables_name_are_checked(tmp_path, monkeypatch):
    assert_finding(folders.keras_home({"KERAS_HOME": str(tmp_path / "keras")}), "ok", str(tmp_path / "keras"))
    assert_finding(folders.keras_home({"KERAS_HOME": "/proc/keras"}), "note", "cannot be written", "KERAS_HOME")
    assert_finding(folders.temporary({"TMPDIR": "/nowhere/at/all"}), "note", "TMPDIR=/nowhere/at/all", "set TMPDIR")
    assert not (tmp_path / "keras").exists()


def test_data_folder_must_exist(tmp_path):
    assert_finding(data_sets.data_folder({}), "ok", "not set")
    assert_finding(data_sets.data_folder({"FITBENCH_DATA": str(tmp_path)}), "ok", str(tmp_path))
    (tmp_path / "file").touch()
    for name, text in (("none", "does not exist"), ("file", "is no folder")):
        finding = data_sets.data_folder({"FITBENCH_DATA": str(tmp_path / name)})
        assert_finding(finding, "problem", text, "unset")


def test_data_sets_that_are_here_are_told_from_the_others():
    finding = data_sets.data_sets({"found": [{"name": "digits", "path": "/x"}, {"name": "mnist", "path": None}]})
    assert_finding(finding, "ok", "here: digits; not here: mnist (fitbench data says how")
    assert_finding(data_sets.data_sets({"error": "No module named 'numpy'"}), "problem", "numpy", "see the packages")


# -- surroundings -----------------------------------------------------------------------------------------------------


def test_variables_that_change_results_are_listed():
    assert_finding(surroundings.changing_variables({"HOME": "/"}), "ok", "none")
    assert_finding(surroundings.changing_variables({"XLA_FLAGS": "--x"}), "note", "XLA_FLAGS=--x", "unset")


@pytest.mark.parametrize(
    ("soft", "status", "found"),
    [
        ({"-n": 4096, "-u": -1, "-f": -1, "-t": -1}, "ok", "4,096 open files"),
        ({"-n": -1, "-u": 4000, "-f": -1, "-t": -1}, "ok", "any number of open files"),
        ({"-n": 256, "-u": 100, "-f": -1, "-t": 600}, "note", "256 open files, 100 processes and threads, 600 seconds"),
    ],
)
def test_low_limits_of_the_shell_are_noted(soft, status, found):
    assert resource.RLIM_INFINITY == -1
    assert_finding(surroundings.limits(soft), status, found, "ulimit -n" if status == "note" else "")


def test_narrow_terminals_and_other_encodings_are_noted():
    assert_finding(surroundings.terminal(60), "note", "60 columns", "widen")
    assert_finding(surroundings.terminal(80), "ok", "80 columns")
    assert_finding(surroundings.encoding("utf8"), "ok", "UTF-8")
    assert_finding(surroundings.encoding("ANSI_X3.4-1968"), "note", "ANSI_X3.4-1968", "LC_ALL")


def test_project_of_the_current_folder_is_named_and_checked(tmp_path, monkeypatch):
    (tmp_path / "conf").mkdir()
    monkeypatch.chdir(tmp_path)
    for text, status, found in (
        ("", "ok", "no pyproject.toml"),
        ("config_dir = 'conf'", "ok", str(tmp_path / "conf")),
        ("config_dir = 'none'", "problem", "there is no folder"),
    ):
        (tmp_path / "pyproject.toml").write_text(f"[tool.fitbench]\n{text}\n" if text else "")
        assert_finding(surroundings.project(), status, found)


def test_cluster_without_a_launcher_says_which_extra_is_missing(installed):
    assert_finding(surroundings.cluster("/usr/bin/sbatch", {}), "ok", "hydra/launcher=submitit_slurm")
    assert_finding(surroundings.cluster(None, {}), "ok", "no sbatch")
    assert_finding(surroundings.cluster("/usr/bin/sbatch", {"SLURM_JOB_ID": "7"}), "ok", "this is job 7")
    installed(fitbench=("1", []))
    assert_finding(surroundings.cluster("/usr/bin/sbatch", {}), "note", "no launcher", "fitbench[submitit]")
