namespace QueueScale.Api;

/// <summary>The page that the <c>type</c> of each problem leads to: docs/reference/problems.md, as it was when the API was built.</summary>
internal static class ProblemsPage
{
    public const string Address = "/docs/problems";

    public static void MapProblemsPage(this IEndpointRouteBuilder routes) =>
        routes.MapGet(Address, () => Results.Stream(typeof(ProblemsPage).Assembly.GetManifestResourceStream("problems.md")!, "text/markdown; charset=utf-8")).ExcludeFromDescription();
}
