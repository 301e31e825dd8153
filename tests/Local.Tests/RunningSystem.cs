namespace QueueScale.Local.Tests;

/// <summary>One system of two workers, started by the command line, for all tests of the collection, which go one after the other. Whoever takes something down brings it up again.</summary>
public sealed class RunningSystem : IAsyncLifetime
{
    private readonly FolderForTest test = new();

    public RunningSystem() => Cli = new(test.Folder);

    internal CommandLineProgram Cli { get; }

    internal RunFolder Folder => test.Folder;

    public async ValueTask InitializeAsync()
    {
        try
        {
            await Cli.OutputAsync("up", "--detach", "--json", "--workers", "2");
        }
        catch
        {
            await DisposeAsync(); // nobody else does when this fails
            throw;
        }
    }

    public ValueTask DisposeAsync() => test.DisposeAsync();
}

/// <summary>The tests that share it.</summary>
[CollectionDefinition]
public sealed class OnOneSystem : ICollectionFixture<RunningSystem>;
