using QueueScale.Driver.Tests;

[assembly: AssemblyFixture(typeof(OwnServers))]
[assembly: CollectionBehavior(DisableTestParallelization = true)]
