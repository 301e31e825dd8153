using QueueScale.Worker;

namespace QueueScale.Tests;

/// <summary>A job class that cannot work stops its worker at the start, and the message says why.</summary>
public sealed class AuthorMistakeTests
{
    // Nothing is there: a worker that came so far as to connect would say something else.
    private static readonly string[] Nowhere = ["--ConnectionStrings:Postgres", "Host=127.0.0.1;Port=1;Username=nobody", "--ConnectionStrings:RabbitMq", "amqp://nobody:nothing@127.0.0.1:1/"];

    [Fact]
    public async Task A_class_without_a_name_is_refused() =>
        Assert.Contains("[JobType(\"name\")]", (await Assert.ThrowsAsync<ArgumentException>(() => RunAsync<Nameless>())).Message, StringComparison.Ordinal);

    [Fact]
    public async Task A_class_that_is_no_job_is_refused() =>
        Assert.Contains("IJob<TInput, TResult>", (await Assert.ThrowsAsync<ArgumentException>(() => RunAsync<NoJob>())).Message, StringComparison.Ordinal);

    [Fact]
    public async Task An_input_that_JSON_cannot_carry_is_refused_with_the_place_in_it() =>
        Assert.Contains("properties.next.properties.then", (await Assert.ThrowsAsync<ArgumentException>(() => RunAsync<TakesAction>())).Message, StringComparison.Ordinal);

    [Fact]
    public async Task A_class_that_asks_for_a_service_which_is_not_registered_stops_the_worker_with_one_line()
    {
        var before = Console.Error;
        var said = new StringWriter();
        Console.SetError(said);
        try
        {
            Assert.Equal(1, await RunAsync<AsksForMailer>());
        }
        finally
        {
            Console.SetError(before);
        }

        Assert.Equal(
            $"queuescale-worker: The job class {typeof(AsksForMailer).FullName} asks for Mailer, which is not registered. Add it where the worker is set up, such as worker.Services.AddSingleton<Mailer>().\n",
            said.ToString());
    }

    private static Task<int> RunAsync<TJob>()
        where TJob : class => QueueScaleWorker.RunAsync(Nowhere, worker => worker.Add<TJob>());

    public sealed class Mailer;

    public sealed record Nothing;

    public sealed record Outer(Inner Next);

    public sealed record Inner(Action Then);

    [JobType("no.job")]
    public sealed class NoJob;

    public sealed class Nameless : IJob<Nothing, Nothing>
    {
        public Task<Nothing> RunAsync(Nothing input, JobRun run, CancellationToken stop) => Task.FromResult(input);
    }

    [JobType("takes.action")]
    public sealed class TakesAction : IJob<Outer, Nothing>
    {
        public Task<Nothing> RunAsync(Outer input, JobRun run, CancellationToken stop) => Task.FromResult(new Nothing());
    }

    [JobType("asks.for.mailer")]
    public sealed class AsksForMailer(Mailer mailer) : IJob<Nothing, Nothing>
    {
        public Task<Nothing> RunAsync(Nothing input, JobRun run, CancellationToken stop) => Task.FromResult(mailer is null ? input : new Nothing());
    }
}
