using System.Reflection;
using System.Text.Json;
using System.Text.RegularExpressions;
using Microsoft.Extensions.DependencyInjection;
using QueueScale.Contracts;
using QueueScale.Store;

namespace QueueScale.Worker;

/// <summary>A job type that this worker can run.</summary>
internal abstract partial class JobType
{
    /// <summary>What the API allows a submission, too.</summary>
    private static readonly TimeSpan LongestTimeout = TimeSpan.FromDays(30);

    protected JobType(Type handler, Type input)
    {
        var named = handler.GetCustomAttribute<JobTypeAttribute>() ?? throw Wrong(handler, "has no [JobType(\"name\")] attribute");
        Name = NamePattern().IsMatch(named.Name) ? named.Name : throw Wrong(handler, $"has the job type name '{named.Name}'; letters, digits, '.', '-' and '_' are allowed, at most 100");
        Queue = QueueName.IsValid(named.Queue) ? named.Queue : throw Wrong(handler, $"has the queue '{named.Queue}'; a queue's name is {QueueName.Rule}");
        MaxAttempts = named.MaxAttempts is >= 1 and <= 100 ? (short)named.MaxAttempts : throw Wrong(handler, $"has MaxAttempts {named.MaxAttempts}; 1 to 100 is allowed");
        Timeout = named.Timeout.Length == 0 ? null
            : TimeSpan.TryParse(named.Timeout, System.Globalization.CultureInfo.InvariantCulture, out var timeout) && timeout > TimeSpan.Zero && timeout <= LongestTimeout ? timeout
            : throw Wrong(handler, $"has the Timeout '{named.Timeout}'; write it as hh:mm:ss, at most 30 days");
        InputSchema = QueueScale.Worker.InputSchema.Of(input);
    }

    public string Name { get; }

    public string Queue { get; }

    public short MaxAttempts { get; }

    public TimeSpan? Timeout { get; }

    public string InputSchema { get; }

    public RegisteredType Registration => new(Name, Queue, MaxAttempts, Timeout, InputSchema);

    /// <summary>Runs the handler once.</summary>
    /// <returns>The result as JSON.</returns>
    /// <exception cref="InputUnreadable">The stored input does not fit the handler's input type.</exception>
    public abstract Task<string> RunAsync(IServiceProvider services, ReadOnlyMemory<byte> input, JobRun run, CancellationToken stop);

    /// <summary>What the handler's constructor asks for and nobody registered; null where it can be made.</summary>
    public abstract string? FindMissing(IServiceProviderIsService registered);

    /// <summary>The job type of a handler class.</summary>
    public static JobType Of(Type handler)
    {
        var contracts = handler.GetInterfaces().Where(i => i.IsGenericType && i.GetGenericTypeDefinition() == typeof(IJob<,>)).ToArray();
        return contracts switch
        {
            [var contract] => (JobType)Activator.CreateInstance(
                typeof(JobType<,,>).MakeGenericType([handler, .. contract.GetGenericArguments()]), BindingFlags.Instance | BindingFlags.Public | BindingFlags.DoNotWrapExceptions,
                binder: null, args: null, culture: null)!,
            [] => throw Wrong(handler, "does not implement IJob<TInput, TResult>"),
            _ => throw Wrong(handler, "implements IJob<TInput, TResult> more than once; one class is one job type"),
        };
    }

    private static ArgumentException Wrong(Type handler, string what) => new($"The job class {handler.FullName} {what}.");

    [GeneratedRegex(@"\A[A-Za-z0-9][A-Za-z0-9._-]{0,99}\z")]
    private static partial Regex NamePattern();
}

internal sealed class JobType<THandler, TInput, TResult>() : JobType(typeof(THandler), typeof(TInput))
    where THandler : class, IJob<TInput, TResult>
{
    private static readonly ObjectFactory<THandler> Create = ActivatorUtilities.CreateFactory<THandler>([]);

    public override string? FindMissing(IServiceProviderIsService registered)
    {
        // With several constructors the choice is made when a handler is created.
        var asked = typeof(THandler).GetConstructors() is [var only] ? only.GetParameters() : [];
        var missing = asked.FirstOrDefault(p => !p.HasDefaultValue && !p.IsDefined(typeof(FromKeyedServicesAttribute)) && !registered.IsService(p.ParameterType))?.ParameterType;
        return missing is null ? null
            : $"The job class {typeof(THandler).FullName} asks for {missing.Name}, which is not registered. Add it where the worker is set up, such as worker.Services.AddSingleton<{missing.Name}>().";
    }

    public override async Task<string> RunAsync(IServiceProvider services, ReadOnlyMemory<byte> input, JobRun run, CancellationToken stop)
    {
        TInput read;
        try
        {
            read = JsonSerializer.Deserialize<TInput>(input.Span, JobJson.Options) ?? throw new JsonException("The input is null.");
        }
        catch (JsonException error)
        {
            throw new InputUnreadable($"The stored input does not fit {typeof(TInput).Name}: {error.Message}", error);
        }

        await using var scope = services.CreateAsyncScope();
        var handler = Create(scope.ServiceProvider, []);
        try
        {
            return JsonSerializer.Serialize(await handler.RunAsync(read, run, stop), JobJson.Options);
        }
        finally
        {
            switch (handler)
            {
                case IAsyncDisposable disposable:
                    await disposable.DisposeAsync();
                    break;
                case IDisposable disposable:
                    disposable.Dispose();
                    break;
            }
        }
    }
}

/// <summary>The stored input does not fit the handler's input type.</summary>
internal sealed class InputUnreadable(string message, Exception inner) : Exception(message, inner);
