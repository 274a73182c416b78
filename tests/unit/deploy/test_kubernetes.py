"""deploy/kubernetes: against the schemas of Kubernetes, and against what the files say of each other."""

from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from app.settings import Settings
from grader.settings import variable

FOLDER = Path(__file__).parents[3] / "deploy" / "kubernetes"
KUSTOMIZATION: dict[str, Any] = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())
OBJECTS: list[dict[str, Any]] = [
    entry for name in KUSTOMIZATION["resources"] for entry in yaml.safe_load_all((FOLDER / name).read_text())
]
KEDA = [entry for entry in OBJECTS if entry["apiVersion"].startswith("keda.sh/")]
OF_KUBERNETES = [entry for entry in OBJECTS if entry not in KEDA]
WITH_PODS = [entry for entry in OBJECTS if entry["kind"] in ("Deployment", "Job")]
PODS = {entry["metadata"]["name"]: entry["spec"]["template"]["spec"] for entry in WITH_PODS}


def called(kind: str) -> list[dict[str, Any]]:
    return [entry for entry in OBJECTS if entry["kind"] == kind]


def named(kind: str, name: str) -> dict[str, Any]:
    (entry,) = (entry for entry in called(kind) if entry["metadata"]["name"] == name)
    return entry


def container(pod: str) -> dict[str, Any]:
    (only,) = PODS[pod]["containers"]
    return only


def variables(pod: str) -> set[str]:
    return {entry["name"] for entry in container(pod).get("env", [])}


def test_the_kustomization_lists_every_file_once():
    files = sorted(path.name for path in FOLDER.iterdir() if path.name != "kustomization.yaml")
    assert sorted(KUSTOMIZATION["resources"]) == files


# The oldest that knows every field in these files, and the newest with a schema.
@pytest.mark.parametrize("version", ["1.30", kubernetes_validate.latest_version()])
def test_every_object_is_one_of_kubernetes(version):
    for entry in OF_KUBERNETES:
        kubernetes_validate.validate(entry, version, strict=True)


def test_keda_scales_the_workers():
    (spec,) = (entry["spec"] for entry in KEDA)
    assert spec["scaleTargetRef"] == {"name": "worker"}
    # A number that the Deployment names would fight with KEDA's.
    assert "replicas" not in named("Deployment", "worker")["spec"]
    (trigger,) = spec["triggers"]
    assert {type(value) for value in trigger["metadata"].values()} == {str}


@pytest.mark.parametrize("pod", PODS.values(), ids=PODS.keys())
def test_a_pod_satisfies_the_restricted_standard(pod):
    assert named("Namespace", "lstm-grader")["metadata"]["labels"] == {
        "pod-security.kubernetes.io/enforce": "restricted"
    }
    assert not pod.keys() & {"hostNetwork", "hostPID", "hostIPC", "initContainers"}
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] > 0
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert [volume.keys() for volume in pod["volumes"]] == [{"name", "emptyDir"}] * len(pod["volumes"])
    for entry in pod["containers"]:
        assert entry["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert not any("hostPort" in port for port in entry.get("ports", []))


@pytest.mark.parametrize("pod", PODS.values(), ids=PODS.keys())
def test_a_pod_knows_nothing_of_the_cluster(pod):
    assert pod["automountServiceAccountToken"] is False
    # A Service called lstm-grader would give LSTM_GRADER_PORT the value tcp://...
    assert pod["enableServiceLinks"] is False


def test_every_variable_is_a_setting():
    of_the_map = {line.split("=")[0] for line in KUSTOMIZATION["configMapGenerator"][0]["literals"]}
    settings = {variable(name) for name in Settings.model_fields}
    assert of_the_map | set().union(*map(variables, PODS)) <= settings


def test_a_worker_is_given_two_secrets_and_the_upgrade_one():
    assert variables("upgrade") == {"LSTM_GRADER_DATABASE_URL"}
    assert variables("worker") == {
        "LSTM_GRADER_DATABASE_URL",
        "LSTM_GRADER_METRICS_TOKEN",
        "LSTM_GRADER_WORKER_PORT",
    }
    for pod in ("worker", "upgrade"):
        assert not any("secretRef" in source for source in container(pod).get("envFrom", []))


def test_every_name_that_is_referred_to_is_there():
    maps = {generated["name"] for generated in KUSTOMIZATION["configMapGenerator"]}
    for pod in PODS:
        for source in container(pod).get("envFrom", []):
            assert source in [{"secretRef": {"name": "lstm-grader"}}, *({"configMapRef": {"name": n}} for n in maps)]
    assert {container(pod)["image"] for pod in PODS} == {image["name"] for image in KUSTOMIZATION["images"]}
    labels = [entry["spec"]["template"]["metadata"]["labels"] for entry in WITH_PODS]
    chosen = [entry["spec"]["selector"] for entry in (*called("Service"), *called("PodDisruptionBudget"))]
    for selector in chosen:
        wanted = selector.get("matchLabels", selector)
        assert any(wanted.items() <= of_a_pod.items() for of_a_pod in labels)
    (rule,) = named("Ingress", "web")["spec"]["rules"]
    assert rule["http"]["paths"][0]["backend"] == {"service": {"name": "web", "port": {"name": "http"}}}
    assert named("Service", "web")["spec"]["ports"][0]["targetPort"] == container("web")["ports"][0]["name"] == "http"


def test_workers_reach_the_database_and_the_names_of_the_cluster_only():
    policy = named("NetworkPolicy", "worker")["spec"]
    assert policy["podSelector"]["matchExpressions"][0]["values"] == ["worker", "upgrade"]
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    database, names = policy["egress"]
    assert database["ports"] == [{"protocol": "TCP", "port": 5432}]
    assert database["to"][0]["ipBlock"]["cidr"].endswith("/32")
    assert {port["port"] for port in names["ports"]} == {53}


def test_a_stop_may_take_as_long_as_the_default_says():
    # Kubernetes kills after 30 seconds; before SIGTERM comes what web waits.
    waited = container("web")["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert all("terminationGracePeriodSeconds" not in pod for pod in PODS.values())
    assert waited + Settings.model_fields["shutdown_seconds"].default < 30
