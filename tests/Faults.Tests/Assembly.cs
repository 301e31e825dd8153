using QueueScale.Faults.Tests;

[assembly: AssemblyFixture(typeof(OwnServers))]
[assembly: CollectionBehavior(DisableTestParallelization = true)]
