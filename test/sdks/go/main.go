// Command emit sends the fixture of records (see ../js/emit.ts) with the exporters of the Go SDK:
//
//	emit -protocol grpc|http/protobuf|http/json -compression none|gzip -endpoint URL -base-time-ns N
//
// It ends with status 1 when an export fails. The SDK speaks OTLP/JSON for traces only; with http/json it sends logs and
// metrics as protobuf.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"math"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploggrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploghttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetricgrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	otellog "go.opentelemetry.io/otel/log"
	"go.opentelemetry.io/otel/metric"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
)

const (
	scope        = "ai-debug.sdks"
	scopeVersion = "1.2.3"
	schemaURL    = "https://opentelemetry.io/schemas/1.30.0"
)

var (
	protocol    = flag.String("protocol", "", "grpc, http/protobuf or http/json")
	compression = flag.String("compression", "none", "none or gzip")
	endpoint    = flag.String("endpoint", "", "base URL")
	baseTimeNs  = flag.Int64("base-time-ns", 0, "time of the first record, in ns since 1970")

	traceID      = must(trace.TraceIDFromHex("5b8aa5a2d2c872e8321cf37308d69df2"))
	parentSpanID = must(trace.SpanIDFromHex("051581bf3cb55c13"))
	childSpanID  = must(trace.SpanIDFromHex("5fb397be34d26b51"))
	linked       = trace.NewSpanContext(trace.SpanContextConfig{
		TraceID:    must(trace.TraceIDFromHex("0102030405060708090a0b0c0d0e0f10")),
		SpanID:     must(trace.SpanIDFromHex("a1a2a3a4a5a6a7a8")),
		TraceFlags: trace.FlagsSampled,
	})

	res = must(resource.New(context.Background(), resource.WithTelemetrySDK(), resource.WithAttributes(
		attribute.String("service.name", "sdk-go"),
		attribute.String("service.instance.id", "sdk-go-1"),
		attribute.Int("host.cpus", 4),
	)))

	// What every SDK can put on every record.
	attributes = []attribute.KeyValue{
		attribute.String("string", "grüße ☃ 😀"),
		attribute.String("string.empty", ""),
		attribute.Int("int", 42),
		attribute.Int("int.negative", -7),
		attribute.Int64("int.large", 1<<53-1),
		attribute.Int64("int.max", math.MaxInt64),
		attribute.Float64("double", 0.1),
		attribute.Float64("double.whole", 3),
		attribute.Bool("bool.true", true),
		attribute.Bool("bool.false", false),
		attribute.StringSlice("array.string", []string{"a", "", "ß"}),
		attribute.IntSlice("array.int", []int{1, -2, 3}),
		attribute.Float64Slice("array.double", []float64{0.5, -1.5}),
		attribute.BoolSlice("array.bool", []bool{true, false}),
	}

	// What log records can carry besides.
	complexAttributes = []attribute.KeyValue{
		attribute.ByteSlice("bytes", []byte{0, 1, 127, 128, 255}),
		attribute.Map("map",
			attribute.Map("inner",
				attribute.Slice("list",
					attribute.IntValue(1),
					attribute.StringValue("two"),
					attribute.MapValue(attribute.Bool("three", true)),
				),
				attribute.ByteSlice("bytes", []byte{222, 173}),
			),
			attribute.Map("empty"),
		),
	}
)

func main() {
	log.SetFlags(0)
	flag.Parse()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()

	traces, logs, metrics := exporters(ctx)
	check(traces.ExportSpans(ctx, spans()))
	check(logs.Export(ctx, logRecords()))
	check(metrics.Export(ctx, metricsData()))
	check(traces.Shutdown(ctx))
	check(logs.Shutdown(ctx))
	check(metrics.Shutdown(ctx))
}

func spans() []sdktrace.ReadOnlySpan {
	finished := tracetest.NewInMemoryExporter()
	provider := sdktrace.NewTracerProvider(
		sdktrace.WithResource(res),
		sdktrace.WithIDGenerator(&fixedIDs{spans: []trace.SpanID{parentSpanID, childSpanID}}),
		sdktrace.WithSyncer(finished),
	)
	tracer := provider.Tracer(scope, trace.WithInstrumentationVersion(scopeVersion), trace.WithSchemaURL(schemaURL))

	ctx, parent := tracer.Start(context.Background(), "POST /checkout",
		trace.WithSpanKind(trace.SpanKindServer),
		trace.WithTimestamp(at(0)),
		trace.WithAttributes(attributes...),
		trace.WithAttributes(
			attribute.String("correlation_id", "order-4711"),
			attribute.String("operation_id", "checkout-1"),
		),
		trace.WithLinks(trace.Link{
			SpanContext: linked,
			Attributes:  []attribute.KeyValue{attribute.String("link.kind", "follows")},
		}),
	)
	parent.AddEvent("cache.miss",
		trace.WithTimestamp(at(10_000_001)),
		trace.WithAttributes(attribute.String("key", "cart:4711"), attribute.Int("size", 3)),
	)

	_, child := tracer.Start(ctx, "charge card", trace.WithSpanKind(trace.SpanKindClient), trace.WithTimestamp(at(20_000_000)))
	child.RecordError(CardDeclined{},
		trace.WithTimestamp(at(150_000_003)),
		trace.WithAttributes(attribute.String("exception.stacktrace", "CardDeclined: card declined\n  at charge")),
	)
	child.SetStatus(codes.Error, "card declined")
	child.End(trace.WithTimestamp(at(200_000_000)))
	parent.End(trace.WithTimestamp(at(250_000_007)))
	return finished.GetSpans().Snapshots()
}

// CardDeclined gives the exception its type, main.CardDeclined.
type CardDeclined struct{}

func (CardDeclined) Error() string { return "card declined" }

type fixedIDs struct{ spans []trace.SpanID }

func (ids *fixedIDs) NewIDs(ctx context.Context) (trace.TraceID, trace.SpanID) {
	return traceID, ids.NewSpanID(ctx, traceID)
}

func (ids *fixedIDs) NewSpanID(context.Context, trace.TraceID) trace.SpanID {
	next := ids.spans[0]
	ids.spans = ids.spans[1:]
	return next
}

func logRecords() []sdklog.Record {
	finished := &logRecorder{}
	provider := sdklog.NewLoggerProvider(sdklog.WithResource(res), sdklog.WithProcessor(sdklog.NewSimpleProcessor(finished)))
	logger := provider.Logger(scope, otellog.WithInstrumentationVersion(scopeVersion), otellog.WithSchemaURL(schemaURL))
	inChild := trace.ContextWithSpanContext(context.Background(), trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: traceID, SpanID: childSpanID, TraceFlags: trace.FlagsSampled,
	}))

	var charging otellog.Record
	charging.SetTimestamp(at(30_000_000))
	charging.SetObservedTimestamp(at(30_000_500))
	charging.SetSeverity(otellog.SeverityInfo)
	charging.SetSeverityText("INFO")
	charging.SetBody(attribute.StringValue("charging order 4711"))
	charging.AddAttributes(attributes...)
	charging.AddAttributes(complexAttributes...)
	charging.AddAttributes(attribute.String("correlation_id", "order-4711"))
	logger.Emit(inChild, charging)

	var failed otellog.Record
	failed.SetTimestamp(at(160_000_000))
	failed.SetObservedTimestamp(at(160_000_500))
	failed.SetSeverity(otellog.SeverityError2)
	failed.SetSeverityText("ERROR")
	failed.SetBody(attribute.StringValue("could not charge"))
	failed.AddAttributes(
		attribute.String("exception.type", "CardDeclined"),
		attribute.String("exception.message", "card declined"),
		attribute.String("exception.stacktrace", "CardDeclined: card declined\n  at charge"),
	)
	logger.Emit(context.Background(), failed)

	var placed otellog.Record
	placed.SetEventName("order.placed")
	placed.SetTimestamp(at(240_000_000))
	placed.SetObservedTimestamp(at(240_000_500))
	placed.SetSeverity(otellog.SeverityInfo3)
	placed.SetBody(attribute.MapValue(
		attribute.Map("order",
			attribute.Int("id", 4711),
			attribute.Slice("lines", attribute.StringValue("tea"), attribute.StringValue("cup")),
		),
		attribute.Float64("total", 12.5),
		attribute.Bool("gift", false),
	))
	placed.AddAttributes(attribute.String("operation_id", "checkout-1"))
	logger.Emit(inChild, placed)
	return finished.records
}

type logRecorder struct{ records []sdklog.Record }

func (r *logRecorder) Export(_ context.Context, records []sdklog.Record) error {
	for _, record := range records {
		r.records = append(r.records, record.Clone())
	}
	return nil
}
func (*logRecorder) Shutdown(context.Context) error   { return nil }
func (*logRecorder) ForceFlush(context.Context) error { return nil }

func metricsData() *metricdata.ResourceMetrics {
	ctx := context.Background()
	reader := sdkmetric.NewManualReader()
	provider := sdkmetric.NewMeterProvider(sdkmetric.WithResource(res), sdkmetric.WithReader(reader), sdkmetric.WithView(
		sdkmetric.NewView(
			sdkmetric.Instrument{Name: "payload.size"},
			sdkmetric.Stream{Aggregation: sdkmetric.AggregationBase2ExponentialHistogram{MaxSize: 160, MaxScale: 20}},
		),
	))
	meter := provider.Meter(scope, metric.WithInstrumentationVersion(scopeVersion), metric.WithSchemaURL(schemaURL))
	web := metric.WithAttributes(attribute.String("channel", "web"))

	must(meter.Int64Counter("orders.placed", metric.WithUnit("{order}"), metric.WithDescription("Orders placed"))).Add(ctx, 3, web)
	duration := must(meter.Float64Histogram("checkout.duration",
		metric.WithUnit("ms"), metric.WithExplicitBucketBoundaries(10, 100)))
	for _, ms := range []float64{5, 50, 500.5} {
		duration.Record(ctx, ms, web)
	}
	size := must(meter.Int64Histogram("payload.size", metric.WithUnit("By")))
	for _, bytes := range []int64{1, 2, 1024} {
		size.Record(ctx, bytes)
	}
	stock := must(meter.Float64Gauge("stock.level", metric.WithUnit("1")))
	stock.Record(ctx, 17.5, metric.WithAttributes(attribute.String("sku", "tea")))

	var data metricdata.ResourceMetrics
	check(reader.Collect(ctx, &data))
	for _, scopeMetrics := range data.ScopeMetrics {
		for _, m := range scopeMetrics.Metrics {
			setTimes(m.Data)
		}
	}
	return &data
}

// The SDK stamps points with its own clock, which no option replaces.
func setTimes(data metricdata.Aggregation) {
	start, end := at(0), at(1_000_000_000)
	switch data := data.(type) {
	case metricdata.Sum[int64]:
		data.DataPoints[0].StartTime, data.DataPoints[0].Time = start, end
	case metricdata.Gauge[float64]:
		data.DataPoints[0].StartTime, data.DataPoints[0].Time = start, end
	case metricdata.Histogram[float64]:
		data.DataPoints[0].StartTime, data.DataPoints[0].Time = start, end
	case metricdata.ExponentialHistogram[int64]:
		data.DataPoints[0].StartTime, data.DataPoints[0].Time = start, end
	default:
		log.Fatalf("no times set on %T", data)
	}
}

func exporters(ctx context.Context) (*otlptrace.Exporter, sdklog.Exporter, sdkmetric.Exporter) {
	if *protocol == "grpc" {
		traceOptions := []otlptracegrpc.Option{otlptracegrpc.WithEndpointURL(*endpoint)}
		logOptions := []otlploggrpc.Option{otlploggrpc.WithEndpointURL(*endpoint)}
		metricOptions := []otlpmetricgrpc.Option{otlpmetricgrpc.WithEndpointURL(*endpoint)}
		if *compression == "gzip" {
			traceOptions = append(traceOptions, otlptracegrpc.WithCompressor("gzip"))
			logOptions = append(logOptions, otlploggrpc.WithCompressor("gzip"))
			metricOptions = append(metricOptions, otlpmetricgrpc.WithCompressor("gzip"))
		}
		return must(otlptracegrpc.New(ctx, traceOptions...)),
			must(otlploggrpc.New(ctx, logOptions...)),
			must(otlpmetricgrpc.New(ctx, metricOptions...))
	}

	traceOptions := []otlptracehttp.Option{otlptracehttp.WithEndpointURL(*endpoint + "/v1/traces")}
	logOptions := []otlploghttp.Option{otlploghttp.WithEndpointURL(*endpoint + "/v1/logs")}
	metricOptions := []otlpmetrichttp.Option{otlpmetrichttp.WithEndpointURL(*endpoint + "/v1/metrics")}
	if *protocol == "http/json" {
		traceOptions = append(traceOptions, otlptracehttp.WithEncoding(otlptracehttp.EncodingJSON))
	}
	if *compression == "gzip" {
		traceOptions = append(traceOptions, otlptracehttp.WithCompression(otlptracehttp.GzipCompression))
		logOptions = append(logOptions, otlploghttp.WithCompression(otlploghttp.GzipCompression))
		metricOptions = append(metricOptions, otlpmetrichttp.WithCompression(otlpmetrichttp.GzipCompression))
	}
	return must(otlptracehttp.New(ctx, traceOptions...)),
		must(otlploghttp.New(ctx, logOptions...)),
		must(otlpmetrichttp.New(ctx, metricOptions...))
}

func at(offsetNs int64) time.Time { return time.Unix(0, *baseTimeNs+offsetNs).UTC() }

func must[T any](value T, err error) T {
	check(err)
	return value
}

func check(err error) {
	if err != nil {
		log.Fatal(fmt.Errorf("emit: %w", err))
	}
}
