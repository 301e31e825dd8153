namespace QueueScale.Api;

/// <summary>The description as a page for people, at <c>/docs</c>: Swagger UI out of its package, which asks no other host for anything.</summary>
internal static class DocsPage
{
    private const string Prefix = "docs";

    /// <summary>What the page may do: its own scripts and styles, and calls to this API. Swagger UI draws its icons from data addresses; the hash is that of the style within its logo.</summary>
    private const string Policy =
        "default-src 'none'; script-src 'self'; style-src 'self' 'sha256-RL3ie0nH+Lzz2YNqQN83mnU0J1ot4QL7b99vMdIX99w='; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

    public static void UseDocsPage(this WebApplication app)
    {
        app.UseWhen(context => context.Request.Path.StartsWithSegments($"/{Prefix}") && !context.Request.Path.StartsWithSegments(ProblemsPage.Address), page =>
        {
            page.Use((context, next) =>
            {
                context.Response.Headers.ContentSecurityPolicy = Policy;
                return next(context);
            });
            page.UseSwaggerUI(options =>
            {
                options.RoutePrefix = Prefix;
                options.DocumentTitle = "QueueScale API";
                options.EnableDeepLinking();
                options.SwaggerEndpoint(Description.Address, "QueueScale");
            });
        });
    }
}
