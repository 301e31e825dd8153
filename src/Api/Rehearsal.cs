using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http.Features;
using QueueScale.Bus;
using QueueScale.Contracts;
using QueueScale.Hosting;
using QueueScale.Store;

namespace QueueScale.Api;

/// <summary>Goes the way of a submission before the API says that it is ready, so that whoever comes first does not wait for connections, statements and code that are
/// made ready only then. What it stores is rolled back, nothing is sent, and no request is counted.</summary>
/// <remarks>What it is worth, and what else was tried: docs/decisions, "ready after a rehearsal".</remarks>
internal sealed class Rehearsal(
    Database database, DepthDuty depth, KnownTypes types, WakeUps wakeUps, IServer server, IHostApplicationLifetime application)
{
    /// <summary>The first round compiles and prepares; the others settle what is decided at a second call.</summary>
    private const int Rounds = 3;

    private const string Header = "QueueScale-Rehearsal";

    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(2);

    /// <summary>Long enough for what reads long texts in another way than short ones.</summary>
    private static readonly JsonElement Input = JsonElement.Parse("""{"name": "about as long as the name of a file, and then a little longer than that", "count": 3}""");

    private static readonly InputSchema Schema = new("""
        {"type": "object", "properties": {"name": {"type": "string", "minLength": 1}, "count": {"type": "integer", "minimum": 1}}, "required": ["name"], "additionalProperties": false}
        """);

    private static readonly NewJob Job = new() { Id = Guid.Empty, Tenant = 0, Type = "rehearsal", Queue = "rehearsal", Input = Input.GetRawText(), MaxAttempts = 1, Timeout = TimeSpan.FromMinutes(1) };

    private static readonly Caller Self = new(Job.Tenant, "rehearsal", [KeyScope.Submit]);

    /// <summary>Nobody else's request can be one of these.</summary>
    private readonly string secret = RandomNumberGenerator.GetHexString(32);

    private bool over;

    /// <exception cref="StoreUnavailable">PostgreSQL does not answer.</exception>
    public async Task RunAsync(CancellationToken cancellation)
    {
        await database.OpenLeastAsync(cancellation);
        await depth.RunOnceAsync(cancellation); // from now on queues are known by their names
        await ListeningAsync(cancellation);
        var address = OwnAddress.Of(server.Features.Get<IServerAddressesFeature>()?.Addresses ?? []);
        for (var round = 1; round <= Rounds; round++)
        {
            await SubmitAsync();
            await (address is null ? Task.CompletedTask : CallAsync(address, cancellation));
        }

        await types.RefreshAsync(); // in case nobody has asked for them yet
        over = true;
    }

    /// <summary>Lets requests pass, but for the rehearsal's own.</summary>
    public Task PassAsync(HttpContext context, RequestDelegate next) => !over && context.Request.Headers[Header] == secret ? PlayAsync(context, next) : next(context);

    /// <summary>Refuses the submission, because there is no such type, and then answers as if it had been accepted.</summary>
    private async Task PlayAsync(HttpContext context, RequestDelegate next)
    {
        context.Features.Get<IHttpMetricsTagsFeature>()?.MetricsDisabled = true;
        Self.Enter(context);
        try
        {
            await next(context);
        }
        catch (Refusal)
        {
            Schema.Check(Input, "/input", new InvalidFields());
            await JobEndpoints.AnswerAsync(context, JobEndpoints.Accepted(Job, await SubmitAsync()));
        }
    }

    private async Task<Submitted> SubmitAsync()
    {
        await using var submissions = new RolledBackSubmissions(database, Prepare, Limit);
        var submitted = (await submissions.SubmitAsync([Job]))[0];
        ApiMetrics.Submitted.Add(0, new("queue", depth.Label(Job.Queue)), new("type", types.Label(Job.Type)));
        return submitted;
    }

    private void Prepare(IReadOnlyList<QueuedJob> queued)
    {
        _ = wakeUps.Messages(queued).ToArray();
        wakeUps.Send([]);
    }

    private async Task CallAsync(Uri address, CancellationToken cancellation)
    {
        using var http = new HttpClient(new SocketsHttpHandler { UseProxy = false }) { Timeout = Limit };
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(address, "v1/jobs"));
        request.Headers.Add(Header, secret);
        request.Headers.Add("Authorization", $"Bearer {KeyText.New().Text[..^1]}");
        request.Content = new StringContent($$"""{"type": "{{Job.Type}}", "input": {{Job.Input}}}""", Encoding.UTF8, "application/json");
        try
        {
            using var answer = await http.SendAsync(request, cancellation);
        }
        catch (Exception error) when (!cancellation.IsCancellationRequested && error is HttpRequestException or OperationCanceledException)
        {
            // It cannot be reached from here, which says nothing about anybody else. The first request is slower then.
        }
    }

    private async Task ListeningAsync(CancellationToken cancellation)
    {
        var started = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var registration = application.ApplicationStarted.Register(started.SetResult);
        await started.Task.WaitAsync(cancellation);
    }
}
