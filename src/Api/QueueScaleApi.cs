using Microsoft.AspNetCore.Http.Timeouts;
using Microsoft.Extensions.Options;
using QueueScale.Bus;
using QueueScale.Cache;
using QueueScale.Hosting;
using QueueScale.Store;

namespace QueueScale.Api;

/// <summary>The API process: registrations, then routes.</summary>
internal static class QueueScaleApi
{
    private const string Program = "queuescale-api";

    /// <summary>After this long a caller hears that the outcome of its submission is unknown.</summary>
    private static readonly TimeSpan SubmitDeadline = TimeSpan.FromMilliseconds(1800);

    /// <param name="args">The program's arguments.</param>
    /// <param name="replace">Replaces parts, for tests that must see a protection fail.</param>
    public static Task<int> RunAsync(string[] args, Action<IServiceCollection>? replace = null) =>
        args is ["migrate", ..] ? MigrateAsync(args[1..])
        : args is ["doctor", ..] ? DiagnoseAsync(args[1..])
        : HostProgram.RunAsync(Program, args, () => Task.FromResult<IHost>(Build(args, replace)));

    private static WebApplication Build(string[] args, Action<IServiceCollection>? replace)
    {
        var builder = WebApplication.CreateSlimBuilder(args);
        ExampleSecrets.Refuse(builder.Environment, builder.Configuration);
        builder.UseSerilog();
        builder.AddOtlp(Program);
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.AddServerHeader = false);
        var services = builder.Services;
        services.AddCheckedOptions<ApiOptions>("Api");
        services.AddCheckedOptions<AuthOptions>("Auth");
        services.AddCheckedOptions<BusOptions>("Bus");
        services.Configure<HostOptions>(host => host.ShutdownTimeout = HostProgram.ShutdownBudget);
        services.ConfigureHttpJsonOptions(json => ApiJson.Apply(json.SerializerOptions));
        Description.Add(services);
        services.AddResponseCompression(compression =>
        {
            compression.EnableForHttps = true; // no answer mixes a secret with what a stranger may choose
            compression.MimeTypes = ["application/json"];
        });
        services.AddSingleton(TimeProvider.System);
        services.AddMetricsCollector();

        var postgres = builder.Configuration.Postgres(Database.Check);
        services.AddRabbitMqBus(builder.Configuration.RabbitMq(), Program);
        services.AddSingleton(_ => new Database(postgres, Program));
        if (builder.Configuration.Redis(RedisLink.Check) is { } redis)
        {
            services.AddRedisCache(redis, Program);
            services.AddSingleton<CacheSwitch>();
            services.AddSingleton<SharedViews>();
            services.AddHostedService(provider => provider.GetRequiredService<SharedViews>());
        }

        services.AddSingleton<JobTypes>();
        services.AddSingleton<KnownTypes>();
        services.AddSingleton<BodyRoom>();
        services.AddSingleton<SubmissionReader>();
        services.AddSingleton(provider => new Submissions(provider.GetRequiredService<Database>(), provider.GetRequiredService<WakeUps>().Send, SubmitDeadline));
        services.AddSingleton(provider => new UniqueSubmissions(provider.GetRequiredService<Database>(), provider.GetRequiredService<WakeUps>().Send, SubmitDeadline));
        services.AddSingleton(provider => new WakeUps(
            provider.GetRequiredService<WakeUpBus>(), provider.GetRequiredService<BrokerLink>(), provider.GetRequiredService<IOptions<BusOptions>>(), provider.GetRequiredService<ILogger<WakeUps>>())
        {
            CloseLane = (queue, lane, at) => provider.GetRequiredService<Lanes>().CloseAsync(queue, lane, at, CancellationToken.None),
            MeanRunSeconds = provider.GetRequiredService<MeansDuty>().Of,
        });
        services.AddSingleton<Cancellations>();
        services.AddSingleton<Retries>();
        services.AddSingleton<BulkRequests>();
        services.AddSingleton<JobReader>();
        services.AddSingleton<FinishedViews>();
        services.AddSingleton<JobViews>();
        services.AddSingleton<FleetReader>();
        services.AddSingleton<Explanations>();
        services.AddSingleton<Lanes>();
        services.AddSingleton<Queues>();
        services.AddSingleton<DueJobs>();
        services.AddSingleton<Schedules>();
        services.AddSingleton<ScheduleReader>();
        services.AddSingleton<Ticks>();
        services.AddSingleton<PastTicks>();
        services.AddSingleton<ExpiredKeys>();
        services.AddSingleton<PastWorkers>();
        services.AddSingleton<Keys>();
        services.AddSingleton<KeyBook>();
        services.AddSingleton<FirstKey>();
        services.AddSingleton<RateLimit>();
        services.AddRequestTimeouts();
        services.AddOptions<RequestTimeoutOptions>().Configure<IOptions<ApiOptions>>((timeouts, options) => timeouts.DefaultPolicy = RequestTimeout.Policy(options.Value.RequestTimeout));
        services.AddSingleton<Deaths>();
        services.AddSingleton<Reconciliation>();

        services.AddHealth();
        services.AddSingleton<Rehearsal>();
        services.AddSingleton<ApiLife>();
        services.AddHostedService(provider => provider.GetRequiredService<ApiLife>());
        services.AddHostedService<DueJobsDuty>();
        services.AddHostedService<ScheduleDuty>();
        services.AddHostedService<DeadWorkerDuty>();
        services.AddHostedService<ReconcileDuty>();
        services.AddHostedService<FeedDuty>();
        services.AddHostedService<ForgetDuty>();
        services.AddHostedService<KeyUseDuty>();
        services.AddHostedService<BulkDuty>();
        services.AddSingleton<DepthDuty>();
        services.AddHostedService(provider => provider.GetRequiredService<DepthDuty>());
        services.AddHostedService<BrokerDepthDuty>();
        services.AddSingleton<WatchDuty>();
        services.AddHostedService(provider => provider.GetRequiredService<WatchDuty>());
        services.AddSingleton<Waiting>();
        services.AddSingleton<EventStream>();
        services.AddSingleton<MeansDuty>();
        services.AddHostedService(provider => provider.GetRequiredService<MeansDuty>());
        services.AddHostedService(provider => provider.GetRequiredService<KnownTypes>());
        replace?.Invoke(services);

        var app = builder.Build();
        app.UseTrustedProxies();
        app.UseRequestSpans();
        app.Use(app.Services.GetRequiredService<ApiLife>().CloseWhileDrainingAsync);
        app.Use(SafeHeaders.AddAsync);
        app.UseResponseCompression();
        app.UseMiddleware<ProblemMiddleware>();
        app.Use(app.Services.GetRequiredService<Rehearsal>().PassAsync);
        app.UseDocsPage();
        app.UseMiddleware<Auth>();
        app.UseRouting();
        app.UseRequestTimeouts();
        app.Use(Scopes.CheckAsync);
        app.MapHealth();
        app.MapMetrics();
        Description.Map(app);
        app.MapProblemsPage();
        app.MapJobs();
        app.MapBulk();
        app.MapSchedules();
        app.MapFleet();
        app.MapKeys();
        return app;
    }

    /// <summary>Brings the database up to date and ends.</summary>
    private static async Task<int> MigrateAsync(string[] args)
    {
        try
        {
            var applied = await Schema.MigrateAsync(Settings(args).Postgres(Database.Check), CancellationToken.None);
            Console.WriteLine(applied.Count == 0 ? "The database is up to date." : $"Migrated: {string.Join(", ", applied)}.");
            return 0;
        }
        catch (Exception error) when (error is BadSetting or SchemaMismatch)
        {
            return HostProgram.Refuse(Program, error.Message);
        }
        catch (Npgsql.PostgresException error) when (error.SqlState == Npgsql.PostgresErrorCodes.LockNotAvailable)
        {
            return HostProgram.Refuse(Program, "The database cannot be migrated now: an open transaction, such as that of a dump, holds its tables. Run migrate again when it has ended.");
        }
        catch (Exception error) when (BatchErrors.IsPassing(error) || error is Npgsql.PostgresException)
        {
            return HostProgram.Refuse(Program, $"The database cannot be migrated: {error.Message} Check ConnectionStrings:Postgres, and that its user may create tables.");
        }
    }

    /// <summary>Looks at the servers and ends.</summary>
    private static async Task<int> DiagnoseAsync(string[] args)
    {
        try
        {
            return await Doctor.RunAsync(Settings(args));
        }
        catch (BadSetting error)
        {
            return HostProgram.Refuse(Program, error.Message);
        }
    }

    private static IConfigurationRoot Settings(string[] args) => new ConfigurationBuilder().AddJsonFile("appsettings.json", optional: true).AddEnvironmentVariables().AddCommandLine(args).Build();
}
