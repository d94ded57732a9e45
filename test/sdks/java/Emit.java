import static java.util.concurrent.TimeUnit.NANOSECONDS;

import io.opentelemetry.api.common.Attributes;
import io.opentelemetry.api.common.KeyValue;
import io.opentelemetry.api.common.Value;
import io.opentelemetry.api.logs.Severity;
import io.opentelemetry.api.trace.Span;
import io.opentelemetry.api.trace.SpanContext;
import io.opentelemetry.api.trace.SpanKind;
import io.opentelemetry.api.trace.StatusCode;
import io.opentelemetry.api.trace.TraceFlags;
import io.opentelemetry.api.trace.TraceState;
import io.opentelemetry.context.Context;
import io.opentelemetry.exporter.otlp.http.logs.OtlpHttpLogRecordExporter;
import io.opentelemetry.exporter.otlp.http.metrics.OtlpHttpMetricExporter;
import io.opentelemetry.exporter.otlp.http.trace.OtlpHttpSpanExporter;
import io.opentelemetry.exporter.otlp.logs.OtlpGrpcLogRecordExporter;
import io.opentelemetry.exporter.otlp.metrics.OtlpGrpcMetricExporter;
import io.opentelemetry.exporter.otlp.trace.OtlpGrpcSpanExporter;
import io.opentelemetry.sdk.common.Clock;
import io.opentelemetry.sdk.common.CompletableResultCode;
import io.opentelemetry.sdk.logs.SdkLoggerProvider;
import io.opentelemetry.sdk.logs.data.LogRecordData;
import io.opentelemetry.sdk.logs.export.LogRecordExporter;
import io.opentelemetry.sdk.logs.export.SimpleLogRecordProcessor;
import io.opentelemetry.sdk.metrics.Aggregation;
import io.opentelemetry.sdk.metrics.InstrumentSelector;
import io.opentelemetry.sdk.metrics.InstrumentType;
import io.opentelemetry.sdk.metrics.SdkMeterProvider;
import io.opentelemetry.sdk.metrics.View;
import io.opentelemetry.sdk.metrics.data.AggregationTemporality;
import io.opentelemetry.sdk.metrics.data.MetricData;
import io.opentelemetry.sdk.metrics.export.CollectionRegistration;
import io.opentelemetry.sdk.metrics.export.MetricExporter;
import io.opentelemetry.sdk.metrics.export.MetricReader;
import io.opentelemetry.sdk.resources.Resource;
import io.opentelemetry.sdk.trace.IdGenerator;
import io.opentelemetry.sdk.trace.SdkTracerProvider;
import io.opentelemetry.sdk.trace.data.SpanData;
import io.opentelemetry.sdk.trace.export.SimpleSpanProcessor;
import io.opentelemetry.sdk.trace.export.SpanExporter;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.TimeUnit;

/**
 * Sends the fixture of records (see ../js/emit.ts) with the exporters of the Java SDK:
 *
 * <pre>java Emit --protocol grpc|http/protobuf --compression none|gzip --endpoint URL --base-time-ns N</pre>
 *
 * Ends with status 1 when an export fails. The SDK's OTLP/JSON exporter is not public.
 */
public final class Emit {
  private static final String SCOPE = "ai-debug.sdks";
  private static final String SCOPE_VERSION = "1.2.3";
  private static final String SCHEMA_URL = "https://opentelemetry.io/schemas/1.30.0";
  private static final String TRACE_ID = "5b8aa5a2d2c872e8321cf37308d69df2";
  private static final String PARENT_SPAN_ID = "051581bf3cb55c13";
  private static final String CHILD_SPAN_ID = "5fb397be34d26b51";
  private static final SpanContext LINKED = spanContext("0102030405060708090a0b0c0d0e0f10", "a1a2a3a4a5a6a7a8");

  private static final Resource RESOURCE =
      Resource.getDefault()
          .merge(
              Resource.create(
                  Attributes.builder()
                      .put("service.name", "sdk-java")
                      .put("service.instance.id", "sdk-java-1")
                      .put("host.cpus", 4)
                      .build()));

  /** What every SDK can put on every record. */
  private static final Attributes ATTRIBUTES =
      Attributes.builder()
          .put("string", "grüße ☃ 😀")
          .put("string.empty", "")
          .put("int", 42)
          .put("int.negative", -7)
          .put("int.large", (1L << 53) - 1)
          .put("int.max", Long.MAX_VALUE)
          .put("double", 0.1)
          .put("double.whole", 3.0)
          .put("bool.true", true)
          .put("bool.false", false)
          .put("array.string", "a", "", "ß")
          .put("array.int", 1L, -2L, 3L)
          .put("array.double", 0.5, -1.5)
          .put("array.bool", true, false)
          .build();

  private static final Value<?> BYTES = Value.of(new byte[] {0, 1, 127, (byte) 128, (byte) 255});
  private static final Value<?> MAP =
      Value.of(
          KeyValue.of(
              "inner",
              Value.of(
                  KeyValue.of(
                      "list",
                      Value.of(Value.of(1), Value.of("two"), Value.of(KeyValue.of("three", Value.of(true))))),
                  KeyValue.of("bytes", Value.of(new byte[] {(byte) 222, (byte) 173})))),
          KeyValue.of("empty", Value.of(Map.of())));

  private final long baseTimeNs;

  private Emit(long baseTimeNs) {
    this.baseTimeNs = baseTimeNs;
  }

  public static void main(String[] args) {
    Map<String, String> options = new HashMap<>();
    for (int i = 0; i + 1 < args.length; i += 2) options.put(args[i], args[i + 1]);
    Emit emit = new Emit(Long.parseLong(options.get("--base-time-ns")));
    try (Exporters exporters = Exporters.of(options)) {
      List<CompletableResultCode> results =
          List.of(
              exporters.traces().export(emit.spans()),
              exporters.logs().export(emit.logRecords()),
              exporters.metrics().export(emit.metrics()));
      CompletableResultCode all = CompletableResultCode.ofAll(results).join(30, TimeUnit.SECONDS);
      if (!all.isSuccess()) throw new IllegalStateException("export failed", all.getFailureThrowable());
    }
    // OkHttp keeps threads that would hold the process for a minute.
    System.exit(0);
  }

  private List<SpanData> spans() {
    var finished = new SpanRecorder();
    var clock = new SetClock(at(0));
    var provider =
        SdkTracerProvider.builder()
            .setResource(RESOURCE)
            .setIdGenerator(new FixedIds())
            .setClock(clock)
            .addSpanProcessor(SimpleSpanProcessor.create(finished))
            .build();
    var tracer = provider.tracerBuilder(SCOPE).setInstrumentationVersion(SCOPE_VERSION).setSchemaUrl(SCHEMA_URL).build();

    Span parent =
        tracer
            .spanBuilder("POST /checkout")
            .setNoParent()
            .setSpanKind(SpanKind.SERVER)
            .setStartTimestamp(at(0), NANOSECONDS)
            .setAllAttributes(ATTRIBUTES)
            .setAttribute("correlation_id", "order-4711")
            .setAttribute("operation_id", "checkout-1")
            .addLink(LINKED, Attributes.builder().put("link.kind", "follows").build())
            .startSpan();
    parent.addEvent(
        "cache.miss",
        Attributes.builder().put("key", "cart:4711").put("size", 3).build(),
        at(10_000_001),
        NANOSECONDS);

    Span child =
        tracer
            .spanBuilder("charge card")
            .setParent(Context.root().with(parent))
            .setSpanKind(SpanKind.CLIENT)
            .setStartTimestamp(at(20_000_000), NANOSECONDS)
            .startSpan();
    // An exception takes its time from the clock: there is no parameter for it.
    clock.now = at(150_000_003);
    child.recordException(new CardDeclined("card declined"));
    child.setStatus(StatusCode.ERROR, "card declined");
    child.end(at(200_000_000), NANOSECONDS);
    parent.end(at(250_000_007), NANOSECONDS);
    return finished.spans;
  }

  private List<LogRecordData> logRecords() {
    var finished = new LogRecorder();
    var provider =
        SdkLoggerProvider.builder()
            .setResource(RESOURCE)
            .addLogRecordProcessor(SimpleLogRecordProcessor.create(finished))
            .build();
    var logger = provider.loggerBuilder(SCOPE).setInstrumentationVersion(SCOPE_VERSION).setSchemaUrl(SCHEMA_URL).build();
    Context inChild = Context.root().with(Span.wrap(spanContext(TRACE_ID, CHILD_SPAN_ID)));

    logger
        .logRecordBuilder()
        .setTimestamp(at(30_000_000), NANOSECONDS)
        .setObservedTimestamp(at(30_000_500), NANOSECONDS)
        .setSeverity(Severity.INFO)
        .setSeverityText("INFO")
        .setBody("charging order 4711")
        .setAllAttributes(ATTRIBUTES)
        .setAttribute("bytes", BYTES)
        .setAttribute("map", MAP)
        .setAttribute("correlation_id", "order-4711")
        .setContext(inChild)
        .emit();
    logger
        .logRecordBuilder()
        .setTimestamp(at(160_000_000), NANOSECONDS)
        .setObservedTimestamp(at(160_000_500), NANOSECONDS)
        .setSeverity(Severity.ERROR2)
        .setSeverityText("ERROR")
        .setBody("could not charge")
        .setAttribute("exception.type", "CardDeclined")
        .setAttribute("exception.message", "card declined")
        .setAttribute("exception.stacktrace", "CardDeclined: card declined\n  at charge")
        .setContext(Context.root())
        .emit();
    logger
        .logRecordBuilder()
        .setEventName("order.placed")
        .setTimestamp(at(240_000_000), NANOSECONDS)
        .setObservedTimestamp(at(240_000_500), NANOSECONDS)
        .setSeverity(Severity.INFO3)
        .setBody(
            Value.of(
                KeyValue.of(
                    "order",
                    Value.of(
                        KeyValue.of("id", Value.of(4711)),
                        KeyValue.of("lines", Value.of(Value.of("tea"), Value.of("cup"))))),
                KeyValue.of("total", Value.of(12.5)),
                KeyValue.of("gift", Value.of(false))))
        .setAttribute("operation_id", "checkout-1")
        .setContext(inChild)
        .emit();
    return finished.records;
  }

  private Collection<MetricData> metrics() {
    var clock = new SetClock(at(0));
    var reader = new OnDemandReader();
    var provider =
        SdkMeterProvider.builder()
            .setResource(RESOURCE)
            .setClock(clock)
            .registerMetricReader(reader)
            .registerView(
                InstrumentSelector.builder().setName("payload.size").build(),
                View.builder().setAggregation(Aggregation.base2ExponentialBucketHistogram()).build())
            .build();
    var meter = provider.meterBuilder(SCOPE).setInstrumentationVersion(SCOPE_VERSION).setSchemaUrl(SCHEMA_URL).build();
    Attributes web = Attributes.builder().put("channel", "web").build();
    meter.counterBuilder("orders.placed").setUnit("{order}").setDescription("Orders placed").build().add(3, web);
    var duration =
        meter
            .histogramBuilder("checkout.duration")
            .setUnit("ms")
            .setExplicitBucketBoundariesAdvice(List.of(10.0, 100.0))
            .build();
    for (double ms : new double[] {5, 50, 500.5}) duration.record(ms, web);
    var size = meter.histogramBuilder("payload.size").setUnit("By").ofLongs().build();
    for (long bytes : new long[] {1, 2, 1024}) size.record(bytes);
    meter.gaugeBuilder("stock.level").setUnit("1").build().set(17.5, Attributes.builder().put("sku", "tea").build());

    clock.now = at(1_000_000_000);
    return reader.registration.collectAllMetrics();
  }

  private long at(long offsetNs) {
    return baseTimeNs + offsetNs;
  }

  private static SpanContext spanContext(String traceId, String spanId) {
    return SpanContext.create(traceId, spanId, TraceFlags.getSampled(), TraceState.getDefault());
  }

  private record Exporters(SpanExporter traces, LogRecordExporter logs, MetricExporter metrics) implements AutoCloseable {
    static Exporters of(Map<String, String> options) {
      String endpoint = options.get("--endpoint");
      String compression = options.getOrDefault("--compression", "none");
      return switch (options.get("--protocol")) {
        case "grpc" ->
            new Exporters(
                OtlpGrpcSpanExporter.builder().setEndpoint(endpoint).setCompression(compression).build(),
                OtlpGrpcLogRecordExporter.builder().setEndpoint(endpoint).setCompression(compression).build(),
                OtlpGrpcMetricExporter.builder().setEndpoint(endpoint).setCompression(compression).build());
        case "http/protobuf" ->
            new Exporters(
                OtlpHttpSpanExporter.builder().setEndpoint(endpoint + "/v1/traces").setCompression(compression).build(),
                OtlpHttpLogRecordExporter.builder().setEndpoint(endpoint + "/v1/logs").setCompression(compression).build(),
                OtlpHttpMetricExporter.builder().setEndpoint(endpoint + "/v1/metrics").setCompression(compression).build());
        default -> throw new IllegalArgumentException("the Java SDK has no protocol " + options.get("--protocol"));
      };
    }

    @Override
    public void close() {
      traces.close();
      logs.close();
      metrics.close();
    }
  }

  private static final class FixedIds implements IdGenerator {
    private final Queue<String> spanIds = new ArrayDeque<>(List.of(PARENT_SPAN_ID, CHILD_SPAN_ID));

    @Override
    public String generateTraceId() {
      return TRACE_ID;
    }

    @Override
    public String generateSpanId() {
      return spanIds.remove();
    }
  }

  private static final class SetClock implements Clock {
    private long now;

    SetClock(long now) {
      this.now = now;
    }

    @Override
    public long now() {
      return now;
    }

    @Override
    public long nanoTime() {
      return now;
    }
  }

  private static final class SpanRecorder implements SpanExporter {
    private final List<SpanData> spans = new ArrayList<>();

    @Override
    public CompletableResultCode export(Collection<SpanData> finished) {
      spans.addAll(finished);
      return CompletableResultCode.ofSuccess();
    }

    @Override
    public CompletableResultCode flush() {
      return CompletableResultCode.ofSuccess();
    }

    @Override
    public CompletableResultCode shutdown() {
      return CompletableResultCode.ofSuccess();
    }
  }

  private static final class LogRecorder implements LogRecordExporter {
    private final List<LogRecordData> records = new ArrayList<>();

    @Override
    public CompletableResultCode export(Collection<LogRecordData> finished) {
      records.addAll(finished);
      return CompletableResultCode.ofSuccess();
    }

    @Override
    public CompletableResultCode flush() {
      return CompletableResultCode.ofSuccess();
    }

    @Override
    public CompletableResultCode shutdown() {
      return CompletableResultCode.ofSuccess();
    }
  }

  private static final class OnDemandReader implements MetricReader {
    private CollectionRegistration registration;

    @Override
    public void register(CollectionRegistration registration) {
      this.registration = registration;
    }

    @Override
    public AggregationTemporality getAggregationTemporality(InstrumentType type) {
      return AggregationTemporality.CUMULATIVE;
    }

    @Override
    public CompletableResultCode forceFlush() {
      return CompletableResultCode.ofSuccess();
    }

    @Override
    public CompletableResultCode shutdown() {
      return CompletableResultCode.ofSuccess();
    }
  }
}

/** Thrown nowhere: its stack trace is given, so that it is the same in every run. */
final class CardDeclined extends RuntimeException {
  CardDeclined(String message) {
    super(message);
    setStackTrace(new StackTraceElement[] {new StackTraceElement("Shop", "charge", "Shop.java", 12)});
  }
}
