"""Asks a server over gRPC with stubs that protoc made from proto/, and prints what it was told as one JSON document."""

import json
import sys

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status

stubs, address, token, event_id = sys.argv[1:]
sys.path.insert(0, stubs)

from debug.v1 import debug_query_pb2 as pb  # noqa: E402
from debug.v1 import debug_query_pb2_grpc as pb_grpc  # noqa: E402

METADATA = (("authorization", f"Bearer {token}"),)


def reason_of(error):
    for detail in rpc_status.from_call(error).details:
        info = error_details_pb2.ErrorInfo()
        if detail.Unpack(info):
            return info.reason
    return None


with grpc.insecure_channel(address) as channel:
    client = pb_grpc.DebugQueryStub(channel)
    told = {}

    pages = client.QueryEvents(
        pb.QueryEventsRequest(filter=pb.EventFilter(min_level=pb.LEVEL_ERROR)), metadata=METADATA, timeout=20
    )
    told["errors"] = sum(len(page.events) for page in pages)

    event = client.GetEvent(pb.GetEventRequest(event_id=event_id), metadata=METADATA).event
    told["message"] = event.message
    told["status_code"] = event.data["http.status_code"]
    told["seconds"] = event.timestamp.seconds

    request = pb.GetComponentHealthRequest(component_type="service", component_id="inventory")
    health = client.GetComponentHealth(request, metadata=METADATA).health
    told["health"] = [health.status, health.total_events, health.error_events]

    told["insights"] = len(client.QueryInsights(pb.QueryInsightsRequest(), metadata=METADATA).insights)
    answer = client.Ask(pb.AskRequest(question="why does orders fail?", budget_tokens=500), metadata=METADATA)
    told["answer"] = answer.answer
    told["used_tokens"] = answer.receipt.used_tokens

    tail = client.Tail(pb.TailRequest(), metadata=METADATA, timeout=20)
    told["tail"] = next(tail).type
    tail.cancel()

    try:
        client.GetEvent(pb.GetEventRequest(event_id="0" * 32), metadata=METADATA)
    except grpc.RpcError as error:
        told["unknown"] = [error.code().name, reason_of(error)]
    try:
        client.QueryInsights(pb.QueryInsightsRequest())
    except grpc.RpcError as error:
        told["stranger"] = error.code().name

print(json.dumps(told))
