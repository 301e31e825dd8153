namespace QueueScale.Worker;

/// <summary>The job types that this worker knows, by name.</summary>
internal sealed class JobCatalog
{
    private readonly Dictionary<string, JobType> types = [];

    public IEnumerable<JobType> All => types.Values;

    public void Add(Type handler)
    {
        var type = JobType.Of(handler);
        if (!types.TryAdd(type.Name, type))
        {
            throw new ArgumentException($"Two job classes are called '{type.Name}'. Give one of them another name in its [JobType] attribute.");
        }
    }

    public JobType? Find(string name) => types.GetValueOrDefault(name);
}
