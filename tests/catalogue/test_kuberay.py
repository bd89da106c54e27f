"""The job for KubeRay has fields of its API, a command that is one of ours, and the version of Ray that is pinned."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import typer
import yaml

from htdemucs_n.cli.main import app

ROOT = Path(__file__).parents[2]
JOB: dict[str, Any] = yaml.safe_load((ROOT / "deploy" / "kuberay.yaml").read_text(encoding="utf-8"))
CLUSTER = JOB["spec"]["rayClusterSpec"]
GROUPS = [CLUSTER["headGroupSpec"], *CLUSTER["workerGroupSpecs"]]

FIELDS = {
    "RayJob": {"apiVersion", "kind", "metadata", "spec"},
    "RayJobSpec": {
        *("activeDeadlineSeconds", "backoffLimit", "clusterSelector", "deletionStrategy", "entrypoint"),
        *("entrypointNumCpus", "entrypointNumGpus", "entrypointResources", "jobId", "managedBy", "metadata"),
        *("rayClusterSpec", "runtimeEnvYAML", "shutdownAfterJobFinishes", "submissionMode", "submitterConfig"),
        *("submitterPodTemplate", "suspend", "ttlSecondsAfterFinished"),
    },
    "RayClusterSpec": {
        *("authOptions", "autoscalerOptions", "enableInTreeAutoscaling", "gcsFaultToleranceOptions", "headGroupSpec"),
        *("headServiceAnnotations", "managedBy", "rayVersion", "suspend", "workerGroupSpecs"),
    },
    "HeadGroupSpec": {"template", "headService", "enableIngress", "rayStartParams", "serviceType", "resources"},
    "WorkerGroupSpec": {
        *("groupName", "idleTimeoutSeconds", "maxReplicas", "minReplicas", "numOfHosts", "rayStartParams", "replicas"),
        *("resources", "scaleStrategy", "suspend", "template"),
    },
    "Container": {
        *("args", "command", "env", "envFrom", "image", "imagePullPolicy", "lifecycle", "livenessProbe", "name"),
        *("ports", "readinessProbe", "resources", "securityContext", "volumeMounts", "workingDir"),
    },
}
"""Of the API `ray.io/v1` (https://ray-project.github.io/kuberay/reference/api/) and of Kubernetes."""


def test_every_field_is_one_of_the_api() -> None:
    assert (JOB["apiVersion"], JOB["kind"]) == ("ray.io/v1", "RayJob")
    head, *workers = GROUPS
    containers = [container for group in GROUPS for container in group["template"]["spec"]["containers"]]
    for kind, objects in {
        "RayJob": [JOB],
        "RayJobSpec": [JOB["spec"]],
        "RayClusterSpec": [CLUSTER],
        "HeadGroupSpec": [head],
        "WorkerGroupSpec": workers,
        "Container": containers,
    }.items():
        for item in objects:
            assert set(item) <= FIELDS[kind], kind
    assert re.fullmatch(r"[a-z0-9]([-a-z0-9]{0,45}[a-z0-9])?", JOB["metadata"]["name"])  # KubeRay takes 47 characters


def test_what_ray_takes_from_the_pods_is_there() -> None:
    for group in GROUPS:
        assert all(isinstance(value, str) for value in group["rayStartParams"].values())  # numbers are refused
        for container in group["template"]["spec"]["containers"]:
            resources = container["resources"]  # Ray reads the limits, and Kubernetes places by the requests
            assert resources["limits"] == resources["requests"] and {"cpu", "memory"} <= set(resources["limits"])
            assert all(isinstance(entry["value"], str) for entry in container["env"])
    for group in CLUSTER["workerGroupSpecs"]:
        assert group["minReplicas"] <= group["replicas"] <= group["maxReplicas"]


def test_the_command_and_the_version() -> None:
    program, verb, *arguments = shlex.split(JOB["spec"]["entrypoint"])
    assert (program, verb) == ("htdemucs-n", "catalogue")
    command: Any = typer.main.get_command(app).commands[verb]  # type: ignore[attr-defined]
    options = command.make_context(verb, arguments).params  # raises where an option is unknown
    assert options["ray"] == "auto" and len(options["places"]) == 2
    cores = {int(group["template"]["spec"]["containers"][0]["resources"]["limits"]["cpu"]) for group in GROUPS[1:]}
    assert all(number % options["threads"] == 0 for number in cores)
    (pinned,) = re.findall(r"^ray==(.+)$", (ROOT / "constraints.txt").read_text(encoding="utf-8"), re.MULTILINE)
    assert CLUSTER["rayVersion"] == pinned
