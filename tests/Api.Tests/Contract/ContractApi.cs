namespace QueueScale.Tests;

/// <summary>One API for all that is generated from the description.</summary>
[CollectionDefinition(Name)]
public sealed class OneContractApi : ICollectionFixture<ContractApi>
{
    public const string Name = "One API of the contract";
}

/// <summary>An API whose limits are soon met.</summary>
public sealed class ContractApi(Servers servers) : RunningApi(servers)
{
    public const int MaxBacklog = 10_000;
    public const int MaxBatchBytes = 1024 * 1024;

    /// <summary>A queue that holds all that it may.</summary>
    public const string Full = "full";

    protected override (string Key, string? Value)[] Settings => [("Api__MaxBacklog", $"{MaxBacklog}"), ("Api__MaxBatchBytes", $"{MaxBatchBytes}"), ("Api__MaxInputBytes", "65536")];
}
