using QueueScale.Tests;

[assembly: AssemblyFixture(typeof(Servers))]
[assembly: AssemblyFixture(typeof(BuiltSample))]
[assembly: CollectionBehavior(DisableTestParallelization = true)]
