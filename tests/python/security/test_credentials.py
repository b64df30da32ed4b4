"""Three tokens that are kept apart, and what needs none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import grpc
import pytest
from home import eventually
from secured import Secured, secured

import paraply
from paraply._proto.controller.v1 import cluster_pb2, cluster_pb2_grpc, membership_pb2, membership_pb2_grpc
from paraply._proto.scheduler.v1 import task_pb2, task_pb2_grpc


def refused(code: grpc.StatusCode, call: Any, *arguments: Any, token: str | None) -> str:
    """Calls with a token, and returns what the refusal says."""
    metadata = [("authorization", f"Bearer {token}")] if token else None
    with pytest.raises(grpc.RpcError) as error:
        call(*arguments, metadata=metadata, timeout=10)
    assert error.value.code() == code, error.value.details()
    return error.value.details()


@pytest.fixture(scope="module")
def channels(lab: Secured) -> Any:
    """One to each service."""
    trusted = grpc.ssl_channel_credentials((lab.credentials / "ca.pem").read_bytes())
    return [grpc.secure_channel(address, trusted) for address in (lab.controller, lab.scheduler)]


def token(lab: Secured, name: str) -> str:
    return (lab.credentials / f"{name}-token").read_text()


def test_no_token_and_a_wrong_one(lab: Secured, channels: Any) -> None:
    for channel in channels:
        info = cluster_pb2_grpc.ClusterServiceStub(channel).GetClusterInfo
        status = task_pb2_grpc.TaskServiceStub(channel).GetSchedulerStatus
        request = cluster_pb2.GetClusterInfoRequest()
        assert "no token" in refused(grpc.StatusCode.UNAUTHENTICATED, info, request, token=None)
        assert "wrong token" in refused(grpc.StatusCode.UNAUTHENTICATED, info, request, token="x" * 64)
        request = task_pb2.GetSchedulerStatusRequest()
        assert "wrong token" in refused(grpc.StatusCode.UNAUTHENTICATED, status, request, token="x" * 64)
    with pytest.raises(ConnectionError, match=r"refused the token .*wrong token"):
        lab.client(token="x" * 64)


def test_an_engine_is_no_client_and_a_client_no_engine(lab: Secured, channels: Any) -> None:
    for channel in channels:
        info = cluster_pb2_grpc.ClusterServiceStub(channel).GetClusterInfo
        request = cluster_pb2.GetClusterInfoRequest()
        said = refused(grpc.StatusCode.UNAUTHENTICATED, info, request, token=token(lab, "engine"))
        assert "this is the engine token" in said
        register = membership_pb2_grpc.MembershipServiceStub(channel).RegisterMember
        for name in ("client", "admin"):
            request = membership_pb2.RegisterMemberRequest()
            said = refused(grpc.StatusCode.UNAUTHENTICATED, register, request, token=token(lab, name))
            assert "the call needs the engine token" in said
    with pytest.raises(ConnectionError, match="this is the engine token"):
        lab.client(token=token(lab, "engine"))


def test_what_changes_the_cluster_for_others_is_the_admins(lab: Secured, channels: Any) -> None:
    client, admin, engine = (token(lab, name) for name in ("client", "admin", "engine"))
    for channel in channels:
        stub = cluster_pb2_grpc.ClusterServiceStub(channel)
        tasks = task_pb2_grpc.TaskServiceStub(channel)
        for call, request in (
            (stub.RemoveEngine, cluster_pb2.RemoveEngineRequest(engine_id=77)),
            (stub.DrainEngine, cluster_pb2.DrainEngineRequest(engine_id=77)),
            (stub.SignalEngines, cluster_pb2.SignalEnginesRequest(engine_ids=[77], signal="SIGINT")),
            (tasks.CancelTasks, task_pb2.CancelTasksRequest()),
            (tasks.PurgeTasks, task_pb2.PurgeTasksRequest()),
        ):
            assert "admin_token" in refused(grpc.StatusCode.PERMISSION_DENIED, call, request, token=client)
            assert "engine token" in refused(grpc.StatusCode.UNAUTHENTICATED, call, request, token=engine)
            with pytest.raises(grpc.RpcError) as error:
                call(request, metadata=[("authorization", f"Bearer {admin}")])
            assert error.value.code() in (grpc.StatusCode.NOT_FOUND, grpc.StatusCode.UNIMPLEMENTED)


def test_a_client_without_the_admins_token_is_told_and_one_with_it_may(lab: Secured) -> None:
    lab.start_engine("extra", "--id", "7")
    with lab.client() as rc:
        rc.wait_for_engines(3, timeout=60)
        with pytest.raises(Exception, match="needs the admin token"):
            rc.send_signal("SIGUSR1", targets=[7])
    with lab.client(admin_token=token(lab, "admin")) as rc:
        rc.wait_for_engines(3, timeout=60)
        rc.shutdown(targets=[7], block=True)
        assert 7 not in rc.ids
    with lab.client("admin") as rc:
        rc.wait_for_engines(2, timeout=60)
        assert rc[:].apply_sync(abs, -1) == [1, 1]


def test_health_needs_no_token_and_reflection_a_clients(lab: Secured, channels: Any) -> None:
    service = b"\x3a\x00"  # ServerReflectionRequest with list_services
    for channel in channels:
        check = channel.unary_unary("/grpc.health.v1.Health/Check")
        assert check(b"", timeout=10) == b"\x08\x01", "SERVING"
        reflect = channel.stream_stream("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo")
        for name in ("client", "admin"):
            answers = reflect(iter([service]), metadata=[("authorization", f"Bearer {token(lab, name)}")], timeout=10)
            assert b"paraply.controller.v1.ClusterService" in next(answers)
        for shown in (None, [("authorization", f"Bearer {token(lab, 'engine')}")]):
            with pytest.raises(grpc.RpcError) as error:
                next(reflect(iter([service]), metadata=shown, timeout=10))
            assert error.value.code() == grpc.StatusCode.UNAUTHENTICATED


def test_services_and_engines_wait_for_what_is_not_there_yet(tmp_path: Path) -> None:
    with secured(tmp_path) as lab:
        whole = tmp_path / "whole"
        lab.credentials.rename(whole)
        lab.kill("controller")
        lab.start_waiting("controller", lab.controller)
        lab.start_engine("engine", "--id", "0", "--wait")
        eventually(lambda: "waiting for files that are not there yet" in lab.log("controller"), "it says so")
        eventually(lambda: "waiting for the connection file" in lab.log("engine"), "it says so")
        whole.rename(lab.credentials)
        with lab.client() as rc:
            rc.wait_for_engines(1, timeout=60)
            assert rc[:].apply_sync(abs, -1) == [1]


def test_locally_one_file_holds_both(rc: paraply.Client) -> None:
    """`rc` is of a cluster of `paraply start`."""
    credentials = rc._link.dialler.info.credentials
    assert credentials.admin_token
    assert credentials.admin_token != credentials.token
