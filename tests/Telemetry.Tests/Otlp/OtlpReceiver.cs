using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Logging;

namespace QueueScale.Tests;

/// <summary>A span as a collector gets it.</summary>
public sealed record Span
{
    public required string Service { get; init; }

    public required string Source { get; init; }

    public required string Name { get; init; }

    public required string TraceId { get; init; }

    public required string Id { get; init; }

    /// <summary>Empty for a root.</summary>
    public required string ParentId { get; init; }

    public required string TraceState { get; init; }

    /// <summary>2 server, 3 client, 5 consumer.</summary>
    public required int Kind { get; init; }

    /// <summary>0 unset, 2 error.</summary>
    public required int Status { get; init; }

    public required string StatusText { get; init; }

    public required IReadOnlyDictionary<string, string> Attributes { get; init; }

    public required IReadOnlyList<SpanEvent> Events { get; init; }

    public required IReadOnlyList<(string TraceId, string SpanId)> Links { get; init; }
}

/// <summary>Something that happened within a span.</summary>
public sealed record SpanEvent(string Name, IReadOnlyDictionary<string, string> Attributes);

/// <summary>A line of a log as a collector gets it.</summary>
public sealed record LogLine(string Service, string Text, string TraceId, string SpanId, IReadOnlyList<KeyValuePair<string, string>> Attributes);

/// <summary>A collector within the test: takes OTLP by http/protobuf and by gRPC, and keeps everything.</summary>
public sealed class OtlpReceiver : IAsyncDisposable
{
    /// <summary>Before each message of gRPC: whether it is compressed, and its length.</summary>
    private const int GrpcHead = 5;

    private static readonly Dictionary<string, string> GrpcServices = new()
    {
        ["opentelemetry.proto.collector.trace.v1.TraceService"] = "traces",
        ["opentelemetry.proto.collector.metrics.v1.MetricsService"] = "metrics",
        ["opentelemetry.proto.collector.logs.v1.LogsService"] = "logs",
    };

    private readonly WebApplication app;
    private readonly ConcurrentQueue<byte[]> messages = new();
    private readonly ConcurrentQueue<Span> spans = new();
    private readonly ConcurrentQueue<LogLine> logs = new();
    private readonly ConcurrentDictionary<(string Service, string Metric), bool> metrics = new();
    private readonly ConcurrentDictionary<string, IReadOnlyDictionary<string, string>> services = new();

    private OtlpReceiver(WebApplication app) => this.app = app;

    /// <summary>Why something that was sent could not be taken.</summary>
    public string? Complaint { get; private set; }

    public IReadOnlyCollection<Span> Spans => spans;

    public IReadOnlyCollection<LogLine> Logs => logs;

    /// <summary>The metrics that a service has sent.</summary>
    public IEnumerable<(string Service, string Metric)> Metrics => metrics.Keys;

    /// <summary>The resource attributes of each service.</summary>
    public IReadOnlyDictionary<string, IReadOnlyDictionary<string, string>> Services => services;

    /// <summary>Whether a text stands anywhere in what was sent, in capitals or not.</summary>
    public bool Holds(string text) => messages.Any(message => Encoding.Latin1.GetString(message).Contains(text, StringComparison.OrdinalIgnoreCase));

    /// <summary>Variables that make a process send here, and soon.</summary>
    public (string Key, string? Value)[] Settings => [("OTEL_EXPORTER_OTLP_ENDPOINT", app.Urls.First()), ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"), .. Soon];

    /// <summary>The same, by the protocol that is taken where none is named.</summary>
    public (string Key, string? Value)[] GrpcSettings => [("OTEL_EXPORTER_OTLP_ENDPOINT", app.Urls.Last()), .. Soon];

    private static (string Key, string? Value)[] Soon =>
    [
        ("OTEL_BSP_SCHEDULE_DELAY", "100"), ("OTEL_BLRP_SCHEDULE_DELAY", "100"), ("OTEL_METRIC_EXPORT_INTERVAL", "500"),
    ];

    public static async Task<OtlpReceiver> StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.Listen(IPAddress.Loopback, 0, http => http.Protocols = HttpProtocols.Http1);
            kestrel.Listen(IPAddress.Loopback, 0, grpc => grpc.Protocols = HttpProtocols.Http2);
        });
        var app = builder.Build();
        var receiver = new OtlpReceiver(app);
        app.Map("/v1/{signal}", context => receiver.TakeAsync(context, receiver.ReadHttpAsync));
        app.Map("/{service}/Export", context => receiver.TakeAsync(context, receiver.ReadGrpcAsync));
        await app.StartAsync();
        return receiver;
    }

    public ValueTask DisposeAsync() => app.DisposeAsync();

    private async Task TakeAsync(HttpContext context, Func<HttpContext, Task> read)
    {
        try
        {
            await read(context);
        }
        catch (Exception error)
        {
            Complaint = error.ToString();
            throw;
        }
    }

    private async Task ReadHttpAsync(HttpContext context)
    {
        Assert.Equal("application/x-protobuf", context.Request.ContentType);
        Read((string)context.Request.RouteValues["signal"]!, await BodyAsync(context));
        context.Response.ContentType = "application/x-protobuf";
    }

    private async Task ReadGrpcAsync(HttpContext context)
    {
        Assert.Equal("application/grpc", context.Request.ContentType);
        var body = await BodyAsync(context);
        Assert.Equal((0, body.Length - GrpcHead), (body[0], BinaryPrimitives.ReadInt32BigEndian(body.AsSpan(1))));
        Read(GrpcServices[(string)context.Request.RouteValues["service"]!], body[GrpcHead..]);
        context.Response.ContentType = "application/grpc";
        await context.Response.Body.WriteAsync(new byte[GrpcHead]);
        context.Response.AppendTrailer("grpc-status", "0");
    }

    private static async Task<byte[]> BodyAsync(HttpContext context)
    {
        using var body = new MemoryStream();
        await context.Request.Body.CopyToAsync(body, context.RequestAborted);
        return body.ToArray();
    }

    private void Read(string signal, byte[] message)
    {
        messages.Enqueue(message);
        foreach (var sent in new Proto(message).All(1))
        {
            var resource = Attributes(sent.One(1), 1);
            var service = resource["service.name"];
            services[service] = resource;
            foreach (var scope in sent.All(2))
            {
                foreach (var item in scope.All(2))
                {
                    Keep(signal, service, scope.One(1).Text(1), item);
                }
            }
        }
    }

    private void Keep(string signal, string service, string source, Proto item)
    {
        switch (signal)
        {
            case "traces":
                spans.Enqueue(new Span
                {
                    Service = service,
                    Source = source,
                    TraceId = item.Hex(1),
                    Id = item.Hex(2),
                    TraceState = item.Text(3),
                    ParentId = item.Hex(4),
                    Name = item.Text(5),
                    Kind = (int)item.Number(6),
                    Attributes = Attributes(item, 9),
                    Events = [.. item.All(11).Select(e => new SpanEvent(e.Text(2), Attributes(e, 3)))],
                    Links = [.. item.All(13).Select(link => (link.Hex(1), link.Hex(2)))],
                    Status = (int)item.One(15).Number(3),
                    StatusText = item.One(15).Text(2),
                });
                break;
            case "logs":
                logs.Enqueue(new LogLine(service, item.One(5).Text(1), item.Hex(9), item.Hex(10), [.. Pairs(item, 6)]));
                break;
            case "metrics":
                metrics[(service, item.Text(1))] = true;
                break;
            default:
                throw new InvalidDataException(signal);
        }
    }

    private static Dictionary<string, string> Attributes(Proto of, int field) => Pairs(of, field).ToDictionary(); // throws where a key comes twice

    private static IEnumerable<KeyValuePair<string, string>> Pairs(Proto of, int field) => of.All(field).Select(pair => KeyValuePair.Create(pair.Text(1), Value(pair.One(2))));

    private static string Value(Proto value) =>
        value.Has(1) ? value.Text(1)
        : value.Has(2) ? value.Number(2) == 1 ? "true" : "false"
        : value.Has(3) ? ((long)value.Number(3)).ToString(CultureInfo.InvariantCulture)
        : value.Has(4) ? BitConverter.UInt64BitsToDouble(value.Number(4)).ToString(CultureInfo.InvariantCulture)
        : "";
}
