"""Sends the fixture of records (see ../js/emit.ts) with the exporters of the Python SDK.

    python emit.py --protocol grpc|http/protobuf --compression none|gzip|deflate --endpoint URL --base-time-ns N

Ends with status 1 when an export fails. The SDK has no OTLP/JSON exporter on PyPI.
"""

import argparse
import sys

from opentelemetry import trace
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.context import Context
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.metrics.view import (
    ExplicitBucketHistogramAggregation,
    ExponentialBucketHistogramAggregation,
    View,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.trace import Link, NonRecordingSpan, SpanContext, SpanKind, Status, StatusCode, TraceFlags

SCOPE = "ai-debug.sdks"
SCOPE_VERSION = "1.2.3"
SCHEMA_URL = "https://opentelemetry.io/schemas/1.30.0"
TRACE_ID = 0x5B8AA5A2D2C872E8321CF37308D69DF2
PARENT_SPAN_ID = 0x051581BF3CB55C13
CHILD_SPAN_ID = 0x5FB397BE34D26B51
SAMPLED = TraceFlags(TraceFlags.SAMPLED)
LINKED = SpanContext(0x0102030405060708090A0B0C0D0E0F10, 0xA1A2A3A4A5A6A7A8, is_remote=False, trace_flags=SAMPLED)

RESOURCE = Resource.create(
    {"service.name": "sdk-python", "service.instance.id": "sdk-python-1", "host.cpus": 4}
)

# What every SDK can put on every record.
ATTRIBUTES = {
    "string": "grüße ☃ 😀",
    "string.empty": "",
    "int": 42,
    "int.negative": -7,
    "int.large": 2**53 - 1,
    "int.max": 2**63 - 1,
    "double": 0.1,
    "double.whole": 3.0,
    "bool.true": True,
    "bool.false": False,
    "array.string": ["a", "", "ß"],
    "array.int": [1, -2, 3],
    "array.double": [0.5, -1.5],
    "array.bool": [True, False],
}

# What log records can carry besides.
COMPLEX_ATTRIBUTES = {
    "bytes": bytes([0, 1, 127, 128, 255]),
    "map": {"inner": {"list": [1, "two", {"three": True}], "bytes": bytes([222, 173])}, "empty": {}},
}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--protocol", choices=["grpc", "http/protobuf"], required=True)
    parser.add_argument("--compression", choices=["none", "gzip", "deflate"], default="none")
    parser.add_argument("--endpoint", required=True)
    parser.add_argument("--base-time-ns", type=int, required=True)
    options = parser.parse_args()

    def at(offset_ns: int) -> int:
        return options.base_time_ns + offset_ns

    traces, logs, metrics = exporters(options)
    results = [
        traces.export(spans(at)),
        logs.export(log_records(at)),
        metrics.export(metrics_data(at)),
    ]
    for exporter in (traces, logs, metrics):
        exporter.shutdown()
    if any(result.name != "SUCCESS" for result in results):
        sys.exit(f"export failed: {results}")


def spans(at):
    class FixedIds(IdGenerator):
        span_ids = iter([PARENT_SPAN_ID, CHILD_SPAN_ID])

        def generate_trace_id(self):
            return TRACE_ID

        def generate_span_id(self):
            return next(self.span_ids)

    finished = InMemorySpanExporter()
    provider = TracerProvider(resource=RESOURCE, id_generator=FixedIds(), shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(finished))
    tracer = provider.get_tracer(SCOPE, SCOPE_VERSION, schema_url=SCHEMA_URL)

    parent = tracer.start_span(
        "POST /checkout",
        context=Context(),
        kind=SpanKind.SERVER,
        start_time=at(0),
        attributes={**ATTRIBUTES, "correlation_id": "order-4711", "operation_id": "checkout-1"},
        links=[Link(LINKED, {"link.kind": "follows"})],
    )
    parent.add_event("cache.miss", {"key": "cart:4711", "size": 3}, timestamp=at(10_000_001))

    child = tracer.start_span(
        "charge card",
        context=trace.set_span_in_context(parent, Context()),
        kind=SpanKind.CLIENT,
        start_time=at(20_000_000),
    )
    # The stack trace of a real one names this file's place on this machine.
    stack = {"exception.type": "CardDeclined", "exception.stacktrace": "CardDeclined: card declined\n  at charge"}
    child.record_exception(CardDeclined("card declined"), stack, timestamp=at(150_000_003))
    child.set_status(Status(StatusCode.ERROR, "card declined"))
    child.end(at(200_000_000))
    parent.end(at(250_000_007))
    return finished.get_finished_spans()


class CardDeclined(Exception):
    pass


def log_records(at):
    finished = InMemoryLogRecordExporter()
    provider = LoggerProvider(resource=RESOURCE, shutdown_on_exit=False)
    provider.add_log_record_processor(SimpleLogRecordProcessor(finished))
    logger = provider.get_logger(SCOPE, SCOPE_VERSION, schema_url=SCHEMA_URL)
    child = NonRecordingSpan(SpanContext(TRACE_ID, CHILD_SPAN_ID, is_remote=False, trace_flags=SAMPLED))
    in_child = trace.set_span_in_context(child, Context())

    logger.emit(
        LogRecord(
            timestamp=at(30_000_000),
            observed_timestamp=at(30_000_500),
            severity_number=SeverityNumber.INFO,
            severity_text="INFO",
            body="charging order 4711",
            attributes={**ATTRIBUTES, **COMPLEX_ATTRIBUTES, "correlation_id": "order-4711"},
            context=in_child,
        )
    )
    logger.emit(
        LogRecord(
            timestamp=at(160_000_000),
            observed_timestamp=at(160_000_500),
            severity_number=SeverityNumber.ERROR2,
            severity_text="ERROR",
            body="could not charge",
            attributes={
                "exception.type": "CardDeclined",
                "exception.message": "card declined",
                "exception.stacktrace": "CardDeclined: card declined\n  at charge",
            },
            context=Context(),
        )
    )
    logger.emit(
        LogRecord(
            event_name="order.placed",
            timestamp=at(240_000_000),
            observed_timestamp=at(240_000_500),
            severity_number=SeverityNumber.INFO3,
            body={"order": {"id": 4711, "lines": ["tea", "cup"]}, "total": 12.5, "gift": False},
            attributes={"operation_id": "checkout-1"},
            context=in_child,
        )
    )
    return finished.get_finished_logs()


def metrics_data(at):
    reader = InMemoryMetricReader()
    views = [
        View(instrument_name="checkout.duration", aggregation=ExplicitBucketHistogramAggregation([10, 100])),
        View(instrument_name="payload.size", aggregation=ExponentialBucketHistogramAggregation()),
    ]
    provider = MeterProvider([reader], RESOURCE, views=views, shutdown_on_exit=False)
    meter = provider.get_meter(SCOPE, SCOPE_VERSION, SCHEMA_URL)
    meter.create_counter("orders.placed", "{order}", "Orders placed").add(3, {"channel": "web"})
    duration = meter.create_histogram("checkout.duration", "ms")
    for ms in (5.0, 50.0, 500.5):
        duration.record(ms, {"channel": "web"})
    size = meter.create_histogram("payload.size", "By")
    for size_bytes in (1, 2, 1024):
        size.record(size_bytes)
    meter.create_gauge("stock.level", "1").set(17.5, {"sku": "tea"})

    data = reader.get_metrics_data()
    # The SDK stamps points with its own clock, which no option replaces, and freezes them.
    for resource_metrics in data.resource_metrics:
        for scope_metrics in resource_metrics.scope_metrics:
            for metric in scope_metrics.metrics:
                for point in metric.data.data_points:
                    object.__setattr__(point, "start_time_unix_nano", at(0))
                    object.__setattr__(point, "time_unix_nano", at(1_000_000_000))
    return data


def exporters(options):
    """The exporters of traces, logs and metrics."""
    if options.protocol == "grpc":
        import grpc
        from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter
        from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

        compressions = {"none": grpc.Compression.NoCompression, "gzip": grpc.Compression.Gzip, "deflate": grpc.Compression.Deflate}
        given = {"endpoint": options.endpoint, "insecure": True, "compression": compressions[options.compression]}
        return OTLPSpanExporter(**given), OTLPLogExporter(**given), OTLPMetricExporter(**given)

    from opentelemetry.exporter.otlp.proto.http import Compression
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    compression = Compression(options.compression)
    return (
        OTLPSpanExporter(f"{options.endpoint}/v1/traces", compression=compression),
        OTLPLogExporter(f"{options.endpoint}/v1/logs", compression=compression),
        OTLPMetricExporter(f"{options.endpoint}/v1/metrics", compression=compression),
    )


if __name__ == "__main__":
    main()
