using Xunit.Sdk;
using Xunit.v3;

[assembly: Xunit.TestCollectionOrderer(typeof(QueueScale.Tests.Shuffled))]
[assembly: Xunit.TestCaseOrderer(typeof(QueueScale.Tests.Shuffled))]

namespace QueueScale.Tests;

/// <summary>Runs tests in an order that the seed alone decides: <c>./queuescale test --seed N</c>. The order of xunit's own follows the path of the checkout.</summary>
public sealed class Shuffled : ITestCollectionOrderer, ITestCaseOrderer
{
    public IReadOnlyCollection<TTestCollection> OrderTestCollections<TTestCollection>(IReadOnlyCollection<TTestCollection> testCollections)
        where TTestCollection : ITestCollection => Shuffle(testCollections, collection => collection.TestCollectionDisplayName);

    public IReadOnlyCollection<TTestCase> OrderTestCases<TTestCase>(IReadOnlyCollection<TTestCase> testCases)
        where TTestCase : notnull, ITestCase => Shuffle(testCases, test => test.TestCaseDisplayName);

    private static T[] Shuffle<T>(IEnumerable<T> all, Func<T, string> name)
    {
        var shuffled = all.OrderBy(name, StringComparer.Ordinal).ToArray();
        new Random(Randomizer.Seed).Shuffle(shuffled);
        return shuffled;
    }
}
