using System.Text.Json;
using QueueScale.Contracts;

namespace QueueScale.Testing;

/// <summary>A job that ended with a result, and what it did on the way.</summary>
public sealed class HarnessResult<TResult>
{
    internal HarnessResult(TResult result, string resultJson, HarnessJob job)
    {
        Result = result;
        ResultJson = resultJson;
        Checkpoints = job.Saved;
        Progress = job.Progress;
        Runs = job.Runs;
        Calls = job.Calls;
    }

    /// <summary>What the handler returned.</summary>
    public TResult Result { get; }

    /// <summary>The same as it would be stored.</summary>
    public string ResultJson { get; }

    /// <summary>The checkpoints that were saved, in order, over all runs.</summary>
    public IReadOnlyList<HarnessCheckpoint> Checkpoints { get; }

    /// <summary>Every call of <see cref="JobRun.Progress"/>, in order, over all runs. A worker would drop most of them.</summary>
    public IReadOnlyList<JobProgress> Progress { get; }

    /// <summary>How many runs it took: 1 and one more for each interruption.</summary>
    public int Runs { get; }

    /// <summary>Calls of <c>CheckpointAsync</c>, saved or not: the places where the job can be interrupted.</summary>
    internal int Calls { get; }
}

/// <summary>A saved checkpoint.</summary>
public sealed class HarnessCheckpoint
{
    internal HarnessCheckpoint(string json, bool transactional) => (Json, Transactional) = (json, transactional);

    /// <summary>The state as it would be stored.</summary>
    public string Json { get; }

    /// <summary>Whether SQL was committed with it.</summary>
    public bool Transactional { get; }

    /// <summary>The state.</summary>
    /// <exception cref="JsonException">It does not fit <typeparamref name="T"/>.</exception>
    public T As<T>() => JsonSerializer.Deserialize<T>(Json, JobJson.Options)!;
}
