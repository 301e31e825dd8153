using System.Reflection;
using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using QueueScale.Bus;
using QueueScale.Contracts;
using QueueScale.Hosting;
using QueueScale.Jobs;
using QueueScale.Store;

namespace QueueScale.Worker;

/// <summary>A worker process. Call it from a program of your own to run your own job types.</summary>
/// <example><code>return await QueueScaleWorker.RunAsync(args, worker => worker.Add&lt;SendInvoice&gt;());</code></example>
public static class QueueScaleWorker
{
    private const string Program = "queuescale-worker";

    /// <summary>Runs a worker until SIGTERM.</summary>
    /// <param name="args">The program's arguments; configuration may be given here as <c>--Worker:Slots 8</c>.</param>
    /// <param name="configure">Adds job types and what their handlers need.</param>
    /// <returns>The exit code: 0 after a clean drain.</returns>
    public static Task<int> RunAsync(string[] args, Action<WorkerBuilder> configure) => RunAsync(args, configure, replace: null);

    /// <param name="args">The program's arguments.</param>
    /// <param name="configure">Adds job types.</param>
    /// <param name="replace">Replaces parts, for tests that must see a protection fail.</param>
    internal static Task<int> RunAsync(string[] args, Action<WorkerBuilder> configure, Action<IServiceCollection>? replace) => HostProgram.RunAsync(Program, args, () =>
    {
        var builder = WebApplication.CreateSlimBuilder(args);
        ExampleSecrets.Refuse(builder.Environment, builder.Configuration);
        var name = builder.Configuration["Worker:Name"] ?? Environment.MachineName;
        builder.UseSerilog(("Worker", name));
        builder.AddOtlp(Program, ("queuescale.worker.name", name));
        var worker = new WorkerBuilder(builder.Services, builder.Configuration);
        configure(worker);
        AddParts(builder, worker.Catalog);
        replace?.Invoke(builder.Services);
        var app = builder.Build();
        RefuseMissingServices(app, worker.Catalog);
        app.UseRequestSpans();
        MapHealth(app);
        app.MapMetrics();
        app.Services.GetRequiredService<WorkerGauges>();
        app.Services.GetRequiredService<Outbound>(); // its metrics, too, are there from the start
        return Task.FromResult<IHost>(app);
    });

    private static void AddParts(WebApplicationBuilder builder, JobCatalog catalog)
    {
        var services = builder.Services;
        services.AddCheckedOptions<WorkerOptions>("Worker");
        services.AddCheckedOptions<BusOptions>("Bus");
        services.AddCheckedOptions<JobsOptions>("Jobs");
        services.AddOptions<HostOptions>().Configure<IOptions<WorkerOptions>>((host, worker) =>
            host.ShutdownTimeout = worker.Value.DrainBudget + (HostProgram.ShutdownBudget - TimeSpan.FromSeconds(20)));

        var postgres = builder.Configuration.Postgres(Database.Check);
        services.AddRabbitMqBus(builder.Configuration.RabbitMq(), Program);
        services.AddSingleton(provider => new Database(postgres, Program, provider.GetRequiredService<IOptions<WorkerOptions>>().Value.Slots + 8));
        services.AddSingleton(provider => provider.GetRequiredService<Database>().General);
        services.AddSingleton(catalog);
        services.AddSingleton<Outbound>();
        services.AddSingleton(provider => WorkerQueues.Of(provider.GetRequiredService<IOptions<WorkerOptions>>().Value, catalog));

        // The steps of a job's way.
        services.AddSingleton<Claims>();
        services.AddSingleton(provider => new Checkpoints(provider.GetRequiredService<Database>(), provider.GetRequiredService<IOptions<WorkerOptions>>().Value.Lease));
        services.AddSingleton<Completions>();
        services.AddSingleton<Failures>();
        services.AddSingleton(provider => new PutBacks(provider.GetRequiredService<Database>(), provider.GetRequiredService<WakeUps>().Send));
        services.AddSingleton<JobTypes>();
        services.AddSingleton<FleetReader>();
        services.AddSingleton<Lanes>();
        services.AddSingleton(provider => new WakeUps(
            provider.GetRequiredService<WakeUpBus>(), provider.GetRequiredService<BrokerLink>(), provider.GetRequiredService<IOptions<BusOptions>>(), provider.GetRequiredService<ILogger<WakeUps>>())
        {
            CloseLane = (queue, lane, at) => provider.GetRequiredService<Lanes>().CloseAsync(queue, lane, at, CancellationToken.None),
            MeanRunSeconds = provider.GetRequiredService<RunTimes>().OfType,
        });

        services.AddSingleton<RunTable>();
        services.AddSingleton<RunTimes>();
        services.AddSingleton<Runner>();
        services.AddSingleton<Seen>();
        services.AddSingleton(provider => new Slots(provider.GetRequiredService<IOptions<WorkerOptions>>().Value.Slots, provider.GetRequiredService<Runner>()));
        services.AddSingleton<IntakeLimits>();
        services.AddSingleton<Intake>();
        services.AddSingleton<Func<Database, PulseConnection>>(database => new PulseConnection(database)); // its thread ends it, not the container
        services.AddSingleton(provider =>
        {
            var options = provider.GetRequiredService<IOptions<WorkerOptions>>().Value;
            var slots = provider.GetRequiredService<Slots>();
            return new PulseThread(
                provider.GetRequiredService<Func<Database, PulseConnection>>()(provider.GetRequiredService<Database>()),
                new WorkerIdentity(options.Name, Environment.MachineName, Environment.ProcessId, Version(), provider.GetRequiredService<WorkerQueues>().Names,
                    [.. provider.GetRequiredService<JobCatalog>().All.Select(type => type.Registration.Name)], options.Slots, options.Lease),
                provider.GetRequiredService<RunTable>(), provider.GetRequiredService<RunTimes>(), provider.GetRequiredService<Seen>(), provider.GetRequiredService<PutBacks>(),
                () => slots.Size - slots.Free, provider.GetRequiredService<IHostApplicationLifetime>().StopApplication, provider.GetRequiredService<ILogger<PulseThread>>());
        });
        services.AddSingleton<WorkerLife>();
        services.AddSingleton<Readiness>();
        services.AddSingleton<WorkerGauges>();
        services.AddMetricsCollector();
        services.AddHostedService(provider => provider.GetRequiredService<WorkerLife>());
    }

    /// <summary>A handler that cannot be made stops the worker now, not each of its jobs later.</summary>
    private static void RefuseMissingServices(WebApplication app, JobCatalog catalog)
    {
        var registered = app.Services.GetRequiredService<IServiceProviderIsService>();
        if (catalog.All.Select(type => type.FindMissing(registered)).FirstOrDefault(missing => missing is not null) is { } problem)
        {
            throw new BadSetting(problem);
        }
    }

    private static void MapHealth(WebApplication app)
    {
        var readiness = app.Services.GetRequiredService<Readiness>();
        var life = app.Services.GetRequiredService<WorkerLife>();
        app.MapGet("/health/live", () => Results.Text("""{"status":"live"}""", "application/json"));
        app.MapGet("/health/startup", () => life.HasStarted ? Results.Text("""{"status":"started"}""", "application/json") : Results.Text("""{"status":"starting"}""", "application/json", statusCode: 503));
        app.MapGet("/health/ready", async (HttpContext context) =>
        {
            var (ready, report) = await readiness.ReportAsync();
            context.Response.StatusCode = ready ? 200 : 503;
            await context.Response.WriteAsJsonAsync(report, WorkerJson.Default.ReadinessReport);
        });
    }

    private static string Version() => (Assembly.GetEntryAssembly() ?? typeof(QueueScaleWorker).Assembly).GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "unknown";
}

/// <summary>What a worker process is made of, before it runs.</summary>
public sealed class WorkerBuilder
{
    internal WorkerBuilder(IServiceCollection services, IConfiguration configuration)
    {
        Services = services;
        Configuration = configuration;
    }

    /// <summary>What handlers get by their constructors. An <c>NpgsqlDataSource</c> of QueueScale's own database, options and loggers are there already.</summary>
    public IServiceCollection Services { get; }

    /// <summary>The worker's configuration.</summary>
    public IConfiguration Configuration { get; }

    internal JobCatalog Catalog { get; } = new();

    /// <summary>Adds one job type: a class that implements <see cref="IJob{TInput, TResult}"/> and is named by <see cref="JobTypeAttribute"/>.</summary>
    /// <exception cref="ArgumentException">It is not such a class; the message says what is wrong.</exception>
    public WorkerBuilder Add<TJob>()
        where TJob : class
    {
        Catalog.Add(typeof(TJob));
        return this;
    }

    /// <summary>Adds the job types that come with QueueScale: <c>csv.import</c>, and <c>probe.*</c> where <c>Jobs:Probes</c> is on.</summary>
    public WorkerBuilder AddBuiltIn()
    {
        foreach (var type in BuiltInJobs.All(Configuration.GetValue("Jobs:Probes", false)))
        {
            Catalog.Add(type);
        }

        return this;
    }
}

[JsonSourceGenerationOptions(JsonSerializerDefaults.Web, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(ReadinessReport))]
internal sealed partial class WorkerJson : JsonSerializerContext;
